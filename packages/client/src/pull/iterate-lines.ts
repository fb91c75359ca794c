/** `lines`: the objects of a span as the JSON text that the server sent. */
import type { ExportType } from '@tillroll/contract';
import type { ExportApi } from '../api/export-api.ts';
import {
  iterateObjects,
  type IterateOptions,
  type ReadObject,
} from '../download/iterate-objects.ts';
import type { Keyed } from '../download/boundary-merger.ts';
import { removeLineBreaks } from '../json/line-breaks.ts';
import type { When } from '../time/span.ts';
import { Zone } from '../time/zone.ts';
import { chooseEnd } from './plan-pull.ts';

/** The span of `lines`, and what it reports. */
export interface LinesOptions extends Omit<IterateOptions, 'to'> {
  type: ExportType;
  /** End, exclusive. Default: now. An end in the future is cut to now. */
  to?: When | undefined;
  /** Called with each warning. */
  onWarning?: ((message: string) => void) | undefined;
}

/** An object as one line of JSON. */
export interface ObjectLine extends Keyed {
  modifiedTime: number;
  /** The object's bytes as the server sent them, without line breaks. */
  line: Buffer;
}

const readLine: ReadObject<ObjectLine> = (
  buffer,
  start,
  end,
  { id, createdTime, modifiedTime, hasBreaks },
) => ({
  id,
  createdTime,
  modifiedTime,
  line: hasBreaks ? removeLineBreaks(buffer, start, end) : buffer.subarray(start, end),
});

/** Gives each object of a span once, in the order of `iterateObjects`, as the text that the server sent. */
export async function* iterateLines(
  api: ExportApi,
  { type, to, onWarning, ...options }: LinesOptions,
): AsyncGenerator<ObjectLine, void, void> {
  const zone = new Zone(options.timezone ?? 'UTC');
  const signal = options.signal ?? new AbortController().signal;
  const end = await chooseEnd(
    {
      api,
      state: { types: {} },
      zone,
      signal,
      onWaiting: options.onWaiting ?? (() => undefined),
      warn: onWarning ?? (() => undefined),
    },
    { to },
  );
  yield* iterateObjects(api, type, { ...options, to: end }, readLine);
}
