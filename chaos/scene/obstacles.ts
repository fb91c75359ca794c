import { existsSync } from 'node:fs';
import { CEPH_PACKAGES, hasCeph } from '../../scripts/ceph.ts';
import { canMount } from '../../packages/server/test/small-disk.ts';
import { FAKETIME } from '../faults/clock.ts';

/** Finds what a machine lacks for a case, in one line that says what to do. */

export function findCephObstacle(): string | null {
  return hasCeph() ? null : `Ceph is not installed: apt-get install ${CEPH_PACKAGES}`;
}

export function findMountObstacle(): string | null {
  return canMount ? null : 'a small disk cannot be mounted: run as root on Linux';
}

export function findClockObstacle(): string | null {
  return existsSync(FAKETIME) ? null : 'libfaketime is not installed: apt-get install libfaketime';
}
