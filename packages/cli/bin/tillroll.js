#!/usr/bin/env node
// Starts `tillroll` under a Node that is new enough.
// Plain JavaScript that a Node as old as 12 can parse: an old Node must be able to run or to name the
// one that is needed. Everything else is in main.ts.
import { spawn } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import { createRequire } from 'module';
import { constants } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';
import { setFlagsFromString } from 'v8';

/** The oldest Node that this package is tested with. */
const NEEDED = [24, 0];

function isFrom(version, needed) {
  const [major, minor] = version.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

/** The Node that `npm ci` brought as a package, or undefined. */
function pinnedNode() {
  let manifest;
  try {
    manifest = createRequire(import.meta.url).resolve('node/package.json');
  } catch (error) {
    return undefined;
  }
  // A pinned Node that is too old would run this file again and again.
  if (!isFrom(JSON.parse(readFileSync(manifest, 'utf8')).version, NEEDED)) return undefined;
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const path = join(dirname(manifest), 'bin', name);
  return existsSync(path) ? path : undefined;
}

function fail(message) {
  process.stderr.write(`tillroll: ${message}\n`);
  process.exit(1);
}

/** Runs this file again under `node`, and ends as that process ends. */
function runUnder(node) {
  const args = process.execArgv.concat(fileURLToPath(import.meta.url), process.argv.slice(2));
  const child = spawn(node, args, { stdio: 'inherit' });

  // A terminal sends Ctrl-C and SIGHUP to the whole process group, so also to the child. Passed on,
  // they would arrive twice, and a second Ctrl-C ends the command at once.
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
    // The parent process sees the signal, too. The exit is for a signal that does not end a process.
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + (constants.signals[signal] || 0)), 1000);
  });
}

// Data from the network is garbage a moment later. A young generation that does not grow frees it
// early: measured, a pull needs 45 MB less. The flag must be set before anything is loaded.
setFlagsFromString('--semi-space-growth-factor=1');

if (isFrom(process.versions.node, NEEDED)) {
  // Node strips types everywhere but inside node_modules, so a published package is compiled.
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
      `needs Node ${NEEDED.join('.')} or newer, and this is ${process.versions.node}. ` +
        'Install one from https://nodejs.org (in a checkout, npm ci brings one)',
    );
  }
}
