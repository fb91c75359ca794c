#!/usr/bin/env node
// Starts `tillroll-server` under a Node that is new enough.
// Plain JavaScript that a Node as old as 12 can parse: an old Node must get as far as running or
// naming the one that is needed. Everything else is in main.ts.
import { spawn } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import { createRequire } from 'module';
import { constants, cpus } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';
import { setFlagsFromString } from 'v8';

/** The major version of the oldest Node that this package is tried with. */
const NEEDED = 24;

function isNewEnough(version) {
  return Number(version.split('.')[0]) >= NEEDED;
}

/** The Node that `npm ci` brought as a package, or undefined. */
function pinnedNode() {
  let manifest;
  try {
    manifest = createRequire(import.meta.url).resolve('node/package.json');
  } catch (error) {
    return undefined;
  }
  // A pinned Node that is too old would run this file forever.
  if (!isNewEnough(JSON.parse(readFileSync(manifest, 'utf8')).version)) return undefined;
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const path = join(dirname(manifest), 'bin', name);
  return existsSync(path) ? path : undefined;
}

function fail(message) {
  process.stderr.write(`tillroll-server: ${message}\n`);
  process.exit(1);
}

/** Runs this file again under `node`, and ends as that process ends. */
function runUnder(node) {
  const args = process.execArgv.concat(fileURLToPath(import.meta.url), process.argv.slice(2));
  const child = spawn(node, args, { stdio: 'inherit' });

  // A terminal sends Ctrl-C and its own hang-up to the whole process group, so to the child as well:
  // passed on, they would arrive twice, and a second Ctrl-C means "now" rather than "in order".
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((s) => s.isTTY);
  const ignore = () => {};
  const pass = (signal) => child.kill(signal);
  process.on('SIGTERM', pass);
  process.on('SIGINT', onTerminal ? ignore : pass);
  process.on('SIGHUP', onTerminal ? ignore : pass);

  child.on('error', (error) => fail(`could not start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.removeAllListeners(name);
    // What started us sees the signal too; the exit is for one that does not end a process here.
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + (constants.signals[signal] || 0)), 1000);
  });
}

// Compression and file writes share libuv's pool. Node's four threads suit small machines: measured
// on two cores, eight are slower. The pool reads this once, when it first has work.
if (!process.env.UV_THREADPOOL_SIZE)
  process.env.UV_THREADPOOL_SIZE = String(Math.max(4, cpus().length));

// What comes off the database's socket is garbage a moment later. A young generation that does not
// grow frees it soon: measured, a worker needs 60 MB less. It has to be set before anything is loaded.
// Answering requests alone leaves little garbage behind, and collecting it that often would cost a
// tenth of the time; `all` leaves the other work to a child process.
if (process.argv[2] !== 'serve' && process.argv[2] !== 'all')
  setFlagsFromString('--semi-space-growth-factor=1');

if (isNewEnough(process.versions.node)) {
  // Node strips types everywhere but inside node_modules, so what is published comes compiled.
  const compiled = new URL('../dist/main.js', import.meta.url);
  const main = existsSync(compiled) ? compiled : new URL('../src/main.ts', import.meta.url);
  import(main.href).catch((error) => {
    process.stderr.write(`${(error && error.stack) || error}\n`);
    process.exit(1);
  });
} else {
  const node = pinnedNode();
  if (node) runUnder(node);
  else {
    fail(
      `needs Node ${NEEDED} or newer, and this is ${process.versions.node}: ` +
        'install one from https://nodejs.org (in a checkout, npm ci brings one)',
    );
  }
}
