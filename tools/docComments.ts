import type { Node, SourceFile } from 'typescript/unstable/ast';
import { SyntaxKind } from 'typescript/unstable/ast';
import {
  isClassDeclaration,
  isExportDeclaration,
  isFunctionDeclaration,
  isGetAccessorDeclaration,
  isIdentifier,
  isInterfaceDeclaration,
  isMethodDeclaration,
  isNamedExports,
  isSetAccessorDeclaration,
  isTypeAliasDeclaration,
  isVariableStatement,
} from 'typescript/unstable/ast/is';
import { isGenerated, isTestFile, place, type Sources } from './sources.ts';

/** A named thing that other files can use, with the text of the doc comment above it. */
interface Declaration {
  readonly name: string;
  readonly node: Node;
  readonly comment: string;
}

/** Returns one line for each export of src/, and each public method of an exported class, without a doc comment. */
export function checkDocComments({ files }: Sources): string[] {
  const problems: string[] = [];
  for (const [path, file] of files) {
    if (!path.startsWith('src/') || isTestFile(path) || isGenerated(path)) continue;
    for (const { name, node } of undocumented(exportsOf(file))) {
      problems.push(`${place(path, file, node)}: Add a doc comment to ${name}`);
    }
  }
  return problems;
}

/** Returns the text of the doc comments directly above a node, without the comment's own marks. */
export function commentOf(file: SourceFile, node: Node): string {
  const comments = (node.jsDoc ?? []).map((comment) => comment.getText(file));
  return comments
    .join('\n')
    .replace(/^\/\*\*|\*\/|^[ \t]*\*/gm, '')
    .trim();
}

/** One comment is enough for a name: overloads, and a constant with the type of its values, stand together. */
function undocumented(declarations: readonly Declaration[]): Declaration[] {
  const documented = new Set<string>();
  for (const { name, comment } of declarations) if (/^[^@\s]/.test(comment)) documented.add(name);
  const missing = new Map<string, Declaration>();
  for (const declaration of declarations) {
    if (!documented.has(declaration.name)) missing.set(declaration.name, declaration);
  }
  return [...missing.values()];
}

function exportsOf(file: SourceFile): Declaration[] {
  const named = namedExports(file);
  const found: Declaration[] = [];
  for (const statement of file.statements) {
    const exported = hasModifier(statement, SyntaxKind.ExportKeyword);
    for (const name of namesOf(statement)) {
      if (!exported && !named.has(name)) continue;
      found.push({ name, node: statement, comment: commentOf(file, statement) });
      if (isClassDeclaration(statement)) found.push(...methodsOf(file, name, statement.members));
    }
  }
  return found;
}

/** The names in `export { a, b }` of things declared in this file. */
function namedExports(file: SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (!isExportDeclaration(statement) || statement.moduleSpecifier !== undefined) continue;
    if (statement.exportClause === undefined || !isNamedExports(statement.exportClause)) continue;
    for (const element of statement.exportClause.elements) {
      names.add((element.propertyName ?? element.name).text);
    }
  }
  return names;
}

function namesOf(statement: Node): string[] {
  if (isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => (isIdentifier(name) ? name.text : '?'));
  }
  const named =
    isFunctionDeclaration(statement) ||
    isClassDeclaration(statement) ||
    isInterfaceDeclaration(statement) ||
    isTypeAliasDeclaration(statement);
  return named ? [statement.name?.text ?? 'default'] : [];
}

/** Public methods and accessors with a plain name; an override is documented where it was first declared. */
function methodsOf(file: SourceFile, className: string, members: readonly Node[]): Declaration[] {
  const found: Declaration[] = [];
  for (const node of members) {
    const method =
      isMethodDeclaration(node) || isGetAccessorDeclaration(node) || isSetAccessorDeclaration(node);
    if (!method || hasModifier(node, ...HIDDEN) || !isIdentifier(node.name)) continue;
    found.push({ name: `${className}.${node.name.text}`, node, comment: commentOf(file, node) });
  }
  return found;
}

const HIDDEN = [SyntaxKind.PrivateKeyword, SyntaxKind.ProtectedKeyword, SyntaxKind.OverrideKeyword] as const;

function hasModifier(
  node: Node & { readonly modifiers?: readonly Node[] },
  ...kinds: readonly SyntaxKind[]
): boolean {
  return node.modifiers?.some(({ kind }) => kinds.includes(kind)) ?? false;
}
