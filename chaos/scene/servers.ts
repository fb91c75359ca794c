import { makeNode, type Node } from '../../packages/server/test/integration/node.ts';
import { startCeph, type Ceph } from '../../scripts/ceph.ts';

/** Servers that cases share: each is started when the first case needs it. */
export class Servers implements AsyncDisposable {
  #postgres: Promise<Node> | null = null;
  #ceph: Promise<Ceph> | null = null;

  /** A PostgreSQL of the suite's own, on 127.0.0.1. */
  postgres(): Promise<Node> {
    this.#postgres ??= startNode();
    return this.#postgres;
  }

  /** Ceph's gateway with the bucket. */
  ceph(): Promise<Ceph> {
    this.#ceph ??= startCeph();
    return this.#ceph;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ceph = await this.#ceph?.catch(() => null);
    await ceph?.[Symbol.asyncDispose]();
    const postgres = await this.#postgres?.catch(() => null);
    await postgres?.remove();
  }
}

async function startNode(): Promise<Node> {
  const node = await makeNode({ settings: { max_connections: '300', shared_buffers: '128MB' } });
  await node.start();
  return node;
}
