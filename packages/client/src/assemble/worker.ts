/** The entry of the assembling thread, started by `AssemblyThread`. */
import { parentPort } from 'node:worker_threads';
import { Assembly } from './assembly.ts';
import { packError, type Answer, type Calls, type Request } from './messages.ts';
import { readPartAhead, type PartContent } from './read-part.ts';
import { findSharedIds } from './shared-ids.ts';

let assembly: Assembly | undefined;

async function answer(
  request: Request,
  ahead: Promise<PartContent> | undefined,
): Promise<Calls[keyof Calls]['output']> {
  switch (request.name) {
    case 'begin': {
      const { job, aborted } = request.input;
      assembly = await Assembly.begin(job, { isAborted: () => Atomics.load(aborted, 0) !== 0 });
      return undefined;
    }
    case 'add':
      return requireAssembly().add(request.input, ahead);
    case 'finish': {
      const file = await requireAssembly().finish();
      assembly = undefined;
      return file;
    }
    case 'abort':
      await assembly?.abort();
      assembly = undefined;
      return undefined;
    case 'findShared':
      return findSharedIds(request.input.a, request.input.b);
  }
}

function requireAssembly(): Assembly {
  if (!assembly) throw new Error('no assembly was begun');
  return assembly;
}

const port = parentPort;
let previous = Promise.resolve();
port?.on('message', (request: Request) => {
  // The next part is read while this thread is busy with the one before.
  const ahead = request.name === 'add' ? readPartAhead(request.input) : undefined;
  ahead?.catch(() => undefined);
  previous = previous.then(async () => {
    const { id } = request;
    let message: Answer;
    try {
      message = { id, output: await answer(request, ahead) };
    } catch (error) {
      message = { id, error: packError(error) };
    }
    port.postMessage(message);
  });
});
