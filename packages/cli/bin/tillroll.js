#!/usr/bin/env node
// Plain JavaScript that a Node as old as 12 can parse: an old Node must get as far as running or
// naming the one that is needed. Everything else is in main.ts.
import { spawn } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import { createRequire } from 'module';
import { constants } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';
import { setFlagsFromString } from 'v8';

/** The first Node that runs TypeScript as it is. */
const NEEDED = [22, 18];

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
  // A pinned Node that is too old would run this file again, and again.
  if (!isFrom(JSON.parse(readFileSync(manifest, 'utf8')).version, NEEDED)) return undefined;
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const path = join(dirname(manifest), 'bin', name);
  return existsSync(path) ? path : undefined;
}

/**
 * Whether this Node can use a proxy, but only when it is told so before it starts: 22.21 and 24.0
 * brought that, 24.14 a way to say it later (see src/connection/proxy.ts).
 */
function mustRestartForProxy() {
  const { env, versions } = process;
  const wanted = env.http_proxy || env.HTTP_PROXY || env.https_proxy || env.HTTPS_PROXY;
  if (!wanted || env.NODE_USE_ENV_PROXY !== undefined) return false;
  const major = Number(versions.node.split('.')[0]);
  if (major === 22) return isFrom(versions.node, [22, 21]);
  if (major === 25) return !isFrom(versions.node, [25, 4]);
  return major === 24 && !isFrom(versions.node, [24, 14]);
}

function fail(message) {
  process.stderr.write(`tillroll: ${message}\n`);
  process.exit(1);
}

/** Runs this file again under `node`, and ends as that process ends. */
function runUnder(node, env) {
  const args = process.execArgv.concat(fileURLToPath(import.meta.url), process.argv.slice(2));
  const child = spawn(node, args, { stdio: 'inherit', env });

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

// What comes off the network is garbage a moment later. A young generation that does not grow frees
// it soon: measured, a pull needs 45 MB less. It must be said before anything is loaded.
setFlagsFromString('--semi-space-growth-factor=1');

if (!isFrom(process.versions.node, NEEDED)) {
  const node = pinnedNode();
  if (node) runUnder(node, process.env);
  else {
    fail(
      `needs Node ${NEEDED.join('.')} or newer, and this is ${process.versions.node}: ` +
        'install one from https://nodejs.org (in a checkout, npm ci brings one)',
    );
  }
} else if (mustRestartForProxy()) {
  const { env } = process;
  // As proxy.ts: what runs on this machine is reached without a proxy.
  const direct = [env.no_proxy || env.NO_PROXY, 'localhost', '127.0.0.1', '[::1]'];
  runUnder(
    process.execPath,
    Object.assign({}, env, {
      NODE_USE_ENV_PROXY: '1',
      no_proxy: direct.filter(Boolean).join(','),
    }),
  );
} else {
  // Node strips types everywhere but inside node_modules, so what is published comes compiled.
  const compiled = new URL('../dist/main.js', import.meta.url);
  const main = existsSync(compiled) ? compiled : new URL('../src/main.ts', import.meta.url);
  import(main.href).catch((error) => {
    process.stderr.write(`${(error && error.stack) || error}\n`);
    process.exit(1);
  });
}
