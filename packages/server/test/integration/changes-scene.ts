/** A reader that follows changes, and what it follows. */
import type { ExportObject, Tombstone } from '@tillroll/contract';
import { download, type Api } from './api.ts';
import type { Place } from './place.ts';

/** An order of one version; a higher one is newer. */
export function order(id: string, version: number): string {
  return JSON.stringify({ id, createdTime: 1000, modifiedTime: 1000 + version, version });
}

/** Deletes orders by their ids. */
export async function remove(api: Api, ids: readonly string[]): Promise<void> {
  const body = ids.map((id) => JSON.stringify({ id })).join('\n');
  const response = await api.fetch('/orders/bulk-delete', { method: 'POST', body });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
}

function createSince(api: Api, since: string): Promise<Response> {
  const body = JSON.stringify({ type: 'ORDERS', since });
  return api.fetch('/exports', { method: 'POST', body });
}

/** The status and the details of a refusal. */
export async function refuseSince(api: Api, since: string): Promise<string> {
  const response = await createSince(api, since);
  const { details } = (await response.json()) as { details?: string };
  return `${response.status}: ${details}`;
}

/** Keeps a copy of a merchant's orders by applying exports of changes one after the other. */
export class Follower {
  readonly objects = new Map<string, string>();
  readonly #api: Api;
  cursor: string;

  constructor(api: Api, cursor = '') {
    this.#api = api;
    this.cursor = cursor;
  }

  async follow(): Promise<void> {
    const created = await createSince(this.#api, this.cursor);
    const text = await created.text();
    if (created.status !== 200) throw new Error(`${created.status}: ${text}`);
    const done = await this.#api.ended((JSON.parse(text) as ExportObject).id);
    if (done.cursor === undefined) throw new Error(`no cursor: ${JSON.stringify(done)}`);
    const contents = await download(done);
    for (const [i, file] of (done.files?.elements ?? []).entries()) {
      const elements = cutElements(contents[i]?.toString() ?? '');
      for (const element of elements) {
        const { id } = JSON.parse(element) as Tombstone;
        if (file.kind === 'deletions') this.objects.delete(id);
        else this.objects.set(id, element);
      }
    }
    const sorted = [...this.objects].toSorted(([a], [b]) => (a < b ? -1 : 1));
    this.objects.clear();
    for (const [id, object] of sorted) this.objects.set(id, object);
    this.cursor = done.cursor;
  }

  /** Reads what the source held at this reader's cursor, by the notes that triggers took. */
  async readHistory(place: Place): Promise<Map<string, string>> {
    const number = Number(Buffer.from(this.cursor, 'base64url').toString().split('.')[0]);
    const { rows } = await place.pool.query<{ id: string; object: string | null }>(
      `SELECT DISTINCT ON (id) id, object FROM public.history WHERE number <= $1 ORDER BY id, number DESC`,
      [number],
    );
    return new Map(
      rows.flatMap(({ id, object }) => (object === null ? [] : [[id, object] as const])),
    );
  }
}

/** The texts of the objects, which hold no brackets within. */
function cutElements(file: string): string[] {
  return file.match(/\{[^{}]*\}/g) ?? [];
}
