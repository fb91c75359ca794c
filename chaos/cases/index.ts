import type { Case } from '../case.ts';
import { apiKill } from './api-kill.ts';
import { clock } from './clock.ts';
import { creates } from './creates.ts';
import { day } from './day.ts';
import { diskFull } from './disk-full.ts';
import { LINK_CASES } from './links.ts';
import { loads } from './loads.ts';
import { postgresRestart } from './postgres-restart.ts';
import { S3_CASES } from './s3-faults.ts';
import { serverKill } from './server-kill.ts';
import { STANDBY_CASES } from './standby.ts';
import { workerKill } from './worker-kill.ts';
import { workerStop } from './worker-stop.ts';

/** All cases, in the order in which they run. */
export const CASES: readonly Case[] = [
  workerKill('directory'),
  workerStop,
  serverKill,
  apiKill,
  postgresRestart,
  ...LINK_CASES,
  diskFull,
  clock('directory'),
  creates,
  loads,
  ...STANDBY_CASES,
  workerKill('s3'),
  ...S3_CASES,
  clock('s3'),
  day,
];
