import { createHash, randomBytes } from 'node:crypto';
import {
  exportIdFrom,
  type ExportFile,
  type ExportObject,
  type ExportRequest,
  type ExportStatus,
  type ExportType,
} from '@tillroll/contract';
import { makeContents, type Piece } from './contents.ts';
import type { Shelf } from './data.ts';
import type { FaultBook, FaultKinds, Layout, Subject } from './faults.ts';
import { layOut } from './layouts.ts';
import { shuffled } from './random.ts';

/** An export is DONE when so many reads have seen it unfinished, or so long after its creation: whichever is first. */
export interface Ready {
  polls?: number;
  ms?: number;
}

export interface ExportRules {
  ready: Ready;
  perFile: number;
  retentionMs: number;
  merchant: string;
  tillroll: boolean;
}

type Fate<N extends 'unfinished' | 'failed' | 'forgotten' | 'vanished'> = FaultKinds[N] | undefined;

/** One export, as the fake server keeps it. Times are of the true clock. */
export class FakeExport {
  readonly id = exportIdFrom(randomBytes(13));
  readonly createdAt = Date.now();
  readonly request: ExportRequest;
  /** The objects of each file. */
  readonly files: readonly (readonly Piece[])[];
  reads = 0;
  /** Files that were sent to their end. */
  downloads = 0;
  readonly #rules: ExportRules;
  readonly #layout: Layout | undefined;
  readonly #sums: ExportFile[] = [];
  readonly #unfinished: Fate<'unfinished'>;
  readonly #failed: Fate<'failed'>;
  readonly #forgotten: Fate<'forgotten'>;
  readonly #vanished: Fate<'vanished'>;
  #doneAt: number | undefined;

  constructor(
    request: ExportRequest,
    shelf: Shelf,
    rules: ExportRules,
    faults: FaultBook,
    subject: Subject,
  ) {
    this.request = request;
    this.#rules = rules;
    this.#unfinished = faults.strike('unfinished', subject);
    this.#failed = faults.strike('failed', subject);
    this.#forgotten = faults.strike('forgotten', subject);
    this.#vanished = faults.strike('vanished', subject);
    this.#layout = faults.strike('layout', subject)?.how;
    this.files = makeContents(shelf, request, rules.perFile, faults, subject);
  }

  /** 0 to 1, by reads or by time, whichever is ahead. */
  #progress(): number {
    const { polls, ms } = this.#rules.ready;
    const part = (sofar: number, whole?: number): number =>
      whole === undefined ? 0 : whole === 0 ? 1 : Math.min(1, sofar / whole);
    return Math.max(part(this.reads, polls), part(Date.now() - this.createdAt, ms));
  }

  get status(): string {
    const progress = this.#progress();
    if (this.#unfinished) return this.#unfinished.status ?? 'IN_PROGRESS';
    if (progress === 0) return 'PENDING';
    if (progress < 1) return 'IN_PROGRESS';
    if (this.#failed) return this.#failed.status ?? 'FAILED';
    this.#doneAt ??= Date.now();
    return 'DONE';
  }

  get isOpen(): boolean {
    return ['PENDING', 'IN_PROGRESS'].includes(this.status);
  }

  get isForgotten(): boolean {
    return this.#forgotten !== undefined && this.reads >= this.#forgotten.reads;
  }

  /** Only of one that is DONE. */
  get availableUntil(): number {
    return (this.#doneAt ?? this.createdAt) + this.#rules.retentionMs;
  }

  get hasFiles(): boolean {
    const isVanished = this.#vanished && this.downloads >= this.#vanished.downloads;
    return this.status === 'DONE' && !isVanished && Date.now() < this.availableUntil;
  }

  makeBytes(position: number): Buffer {
    return layOut(this.files[position] ?? [], this.#layout);
  }

  /** The bytes of this file, without faults in transit. */
  makeEntry(position: number): ExportFile {
    const known = this.#sums[position];
    if (known) return known;
    const bytes = this.makeBytes(position);
    return (this.#sums[position] = {
      objects: this.files[position]?.length ?? 0,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  }

  /** Returns the export as create and read show it. @param mint returns a file's URL. */
  show(mint: (position: number) => string, faults: FaultBook, subject: Subject): ExportObject {
    const { type, startTime, endTime } = this.request;
    const status = (subject.kind === 'create' ? 'PENDING' : this.status) as ExportStatus;
    const isDone = status === 'DONE';
    const isUnfinished = status === 'PENDING' || status === 'IN_PROGRESS';
    const offset = subject.offsetMs;
    const percent = this.#unfinished ? 50 : Math.min(99, Math.floor(this.#progress() * 100));
    let positions = [...this.files.keys()];
    if (isDone) {
      const order = faults.strike('order', subject)?.how;
      if (order === 'reversed') positions = positions.toReversed();
      if (order === 'shuffled') positions = shuffled(Math.random, positions);
    }
    return {
      id: this.id,
      type,
      status,
      percentComplete: isDone ? 100 : status === 'PENDING' ? 0 : percent,
      ...(isDone ? { availableUntil: this.availableUntil + offset } : {}),
      startTime,
      endTime,
      createdTime: this.createdAt + offset,
      modifiedTime: (isUnfinished ? this.createdAt : (this.#doneAt ?? Date.now())) + offset,
      ...(isDone && this.hasFiles
        ? {
            exportUrls: {
              elements: positions.map((position) => ({
                url: mint(position),
                export: { id: this.id },
              })),
            },
          }
        : {}),
      merchantRef: { id: this.#rules.merchant },
      ...(this.#rules.tillroll && !isDone && !isUnfinished && this.#failed
        ? {
            failure: {
              code: this.#failed.code ?? 'INTERNAL',
              message: 'A fault that was asked for.',
            },
          }
        : {}),
      ...(this.#rules.tillroll && isDone ? this.#manifest(positions, faults, subject) : {}),
    };
  }

  #manifest(
    positions: readonly number[],
    faults: FaultBook,
    subject: Subject,
  ): Pick<ExportObject, 'files'> {
    const wrong = faults.strike('manifest', subject);
    const entries = positions.map((position) => {
      const entry = { ...this.makeEntry(position) };
      if (!wrong || (wrong.at !== undefined && wrong.at !== position)) return entry;
      if (wrong.sha256 === 'wrong')
        entry.sha256 = createHash('sha256').update(entry.sha256).digest('hex');
      if (wrong.sha256 === 'uppercase') entry.sha256 = entry.sha256.toUpperCase();
      if (wrong.sha256 === 'garbage') entry.sha256 = 'not a sum';
      entry.objects += wrong.objects ?? 0;
      entry.bytes += wrong.bytes ?? 0;
      return entry;
    });
    if (wrong?.missing === 'all') return {};
    return { files: { elements: wrong?.missing === 'last' ? entries.slice(0, -1) : entries } };
  }
}

/** All exports, and how many of them are open. */
export class Exports {
  readonly all: FakeExport[] = [];
  readonly #shelves: Readonly<Record<ExportType, Shelf>>;
  readonly #rules: ExportRules;

  constructor(shelves: Readonly<Record<ExportType, Shelf>>, rules: ExportRules) {
    this.#shelves = shelves;
    this.#rules = rules;
  }

  get open(): number {
    return this.all.filter((one) => one.isOpen).length;
  }

  create(request: ExportRequest, faults: FaultBook, subject: Subject): FakeExport {
    const made = new FakeExport(request, this.#shelves[request.type], this.#rules, faults, subject);
    this.all.push(made);
    return made;
  }

  find(id: string): FakeExport | undefined {
    return this.all.find((one) => one.id === id);
  }
}
