import pg from 'pg';
import type { Api } from './api.ts';
import { FROM, TO, type Place } from './place.ts';
import { until } from './until.ts';

/** An orders relation that stops in mid-export until it is released. */
export interface HeldSource {
  /** Exports go on, now and from now on. */
  release(): Promise<void>;
}

const LOCK = 424_242;

/**
 * Replaces the orders table with a view, as a platform may, whose rows after half of the range
 * wait for a lock that this holds. What comes before them has been read and written meanwhile.
 */
export async function holdHalfWay(place: Pick<Place, 'pool' | 'databaseUrl'>): Promise<HeldSource> {
  await place.pool.query(`
    ALTER TABLE tillroll.orders RENAME TO orders_table;
    CREATE FUNCTION tillroll.held(created bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
    BEGIN
      IF created > ${(FROM + TO) / 2} THEN
        PERFORM pg_advisory_lock_shared(${LOCK});
        PERFORM pg_advisory_unlock_shared(${LOCK});
      END IF;
      RETURN true;
    END $$;
    CREATE VIEW tillroll.orders AS
      SELECT merchant_id, id, created_time, modified_time, currency, total,
             CASE WHEN tillroll.held(created_time) THEN object END AS object
      FROM tillroll.orders_table;`);
  const holder = new pg.Client(place.databaseUrl);
  await holder.connect();
  await holder.query('SELECT pg_advisory_lock($1)', [LOCK]);
  let held = true;
  return {
    async release() {
      if (!held) return;
      held = false;
      await holder.end();
    },
  };
}

/** Creates an export over a held source and waits until a worker is in the middle of it, with files on disk. */
export async function createAndReachHalf(place: Place, api: Api): Promise<string> {
  const { id } = await api.create(FROM, TO);
  await until('files of the first half', async () => {
    const files = await place.files();
    const { status, percent } = await place.row(id);
    return status === 'IN_PROGRESS' && percent > 0 && files.length >= 3;
  });
  return id;
}
