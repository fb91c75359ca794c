/** The part of oxlint's syntax tree that rules about imports need. */
export interface LintNode {
  type: string;
  value?: unknown;
  source?: LintNode | null;
}

export interface LintContext {
  /** Absolute. */
  filename: string;
  report(fault: { node: LintNode; message: string }): void;
}

/**
 * Calls `check` for each import and re-export, static or dynamic, of values or types.
 * Its specifier is undefined where it is computed.
 */
export function importVisitors(check: (source: LintNode, specifier: string | undefined) => void) {
  const visit = ({ source }: LintNode): void => {
    if (source) check(source, typeof source.value === 'string' ? source.value : undefined);
  };
  return {
    ImportDeclaration: visit,
    ExportNamedDeclaration: visit,
    ExportAllDeclaration: visit,
    ImportExpression: visit,
    TSImportType: visit,
  };
}
