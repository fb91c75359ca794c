/**
 * `npm run tarballs`: packs every package into `tarballs/`, from where they are installed all at once. They depend on
 * each other, so that a registry would be asked for those that are left out.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'tarballs');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
execFileSync('npm', ['pack', '--silent', '--workspaces', '--pack-destination', folder], {
  cwd: root,
  stdio: 'inherit',
});
