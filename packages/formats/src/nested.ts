/** Groups members by the object that they stand in, and writes them as nested JSON. */

/** Members of an object by the object that they stand in, below one outermost object. */
export class Nested<Member> {
  readonly members: Member[] = [];
  readonly inner = new Map<string, Nested<Member>>();

  /** @param path from the outermost object; empty for that itself. */
  add(path: readonly string[], member: Member): void {
    const [name, ...rest] = path;
    if (name === undefined) {
      this.members.push(member);
      return;
    }
    let inner = this.inner.get(name);
    if (inner === undefined) this.inner.set(name, (inner = new Nested()));
    inner.add(rest, member);
  }
}

/** @param nested JSON texts of names and values: `"id":"7"`. */
export function writeJson({ members, inner }: Nested<string>): string {
  const objects = [...inner].map(([name, each]) => `${JSON.stringify(name)}:${writeJson(each)}`);
  return `{${[...members, ...objects].join(',')}}`;
}
