import type { Node, SourceFile } from 'typescript/unstable/ast';
import { SyntaxKind } from 'typescript/unstable/ast';
import {
  isArrowFunction,
  isCallExpression,
  isClassDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isSetAccessorDeclaration,
  isVariableStatement,
} from 'typescript/unstable/ast/is';
import { commentOf } from './docComments.ts';
import { isTestFile, place, type Sources } from './sources.ts';

/** A function whose doc comment says `@hot`. */
export interface HotFunction {
  /** `folder/name` or `folder/Class.method`, such as `core/SpscQueue.push`. */
  readonly id: string;
  readonly path: string;
  readonly file: SourceFile;
  readonly body: Node;
  /** Made by a call, such as one that binds a function of libc: V8 counts no calls of it. */
  readonly bound: boolean;
}

/** What hot code may not contain: each either allocates, deoptimises or hides a cost. */
const FORBIDDEN: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.BigIntLiteral, 'BigInt'],
  [SyntaxKind.ArrowFunction, 'a closure'],
  [SyntaxKind.FunctionExpression, 'a closure'],
  [SyntaxKind.FunctionDeclaration, 'a closure'],
  [SyntaxKind.ForOfStatement, 'for…of'],
  [SyntaxKind.ForInStatement, 'for…in'],
  [SyntaxKind.ThrowStatement, 'an exception'],
  [SyntaxKind.TryStatement, 'an exception handler'],
  [SyntaxKind.ObjectBindingPattern, 'destructuring'],
  [SyntaxKind.ArrayBindingPattern, 'destructuring'],
  [SyntaxKind.ObjectLiteralExpression, 'an object literal'],
  [SyntaxKind.ArrayLiteralExpression, 'an array literal'],
  [SyntaxKind.SpreadElement, 'a spread'],
  [SyntaxKind.NewExpression, 'new'],
  [SyntaxKind.TemplateExpression, 'a built string'],
  [SyntaxKind.RegularExpressionLiteral, 'a regular expression'],
  [SyntaxKind.AwaitExpression, 'await'],
  [SyntaxKind.YieldExpression, 'yield'],
]);

const FORBIDDEN_NAMES = /^(?:subarray|slice|BigInt|(?:get|set)?Big(?:Ui|I)nt64(?:Array)?)$/;

/** Returns every function of the product that is marked `@hot`, declared or bound, in the order of the files. */
export function hotFunctions({ files }: Sources): HotFunction[] {
  const found: HotFunction[] = [];
  for (const [path, file] of files) {
    if (!path.startsWith('src/') || isTestFile(path)) continue;
    const folder = path.split('/', 2)[1];
    for (const statement of file.statements) {
      for (const { name, comment, body, bound = false } of functionsOf(file, statement)) {
        if (/@hot\b/.test(comment)) found.push({ id: `${folder}/${name}`, path, file, body, bound });
      }
    }
  }
  return found;
}

/** Returns one line for each thing in the body of a `@hot` function that hot code may not contain. */
export function checkHot(functions: readonly HotFunction[]): string[] {
  const problems: string[] = [];
  for (const { id, path, file, body } of functions) {
    const visit = (node: Node): void => {
      const what =
        isIdentifier(node) && FORBIDDEN_NAMES.test(node.text) ? node.text : FORBIDDEN.get(node.kind);
      if (what === undefined) node.forEachChild(visit);
      else problems.push(`${place(path, file, node)}: Remove ${what} from hot ${id}`);
    };
    body.forEachChild(visit);
  }
  return problems;
}

interface Declared {
  readonly name: string;
  readonly comment: string;
  readonly body: Node;
  readonly bound?: boolean;
}

function functionsOf(file: SourceFile, statement: Node): Declared[] {
  if (isFunctionDeclaration(statement) && statement.body !== undefined) {
    return [
      { name: statement.name?.text ?? 'default', comment: commentOf(file, statement), body: statement.body },
    ];
  }
  const found: Declared[] = [];
  if (isVariableStatement(statement)) {
    const comment = commentOf(file, statement);
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (initializer === undefined || !isIdentifier(name)) continue;
      if (isArrowFunction(initializer) || isFunctionExpression(initializer)) {
        found.push({ name: name.text, comment, body: initializer.body });
      } else if (isCallExpression(initializer)) {
        found.push({ name: name.text, comment, body: initializer, bound: true });
      }
    }
  }
  if (isClassDeclaration(statement)) {
    for (const member of statement.members) {
      const method =
        isMethodDeclaration(member) || isGetAccessorDeclaration(member) || isSetAccessorDeclaration(member);
      if (!method || member.body === undefined) continue;
      const name = `${statement.name?.text ?? 'default'}.${member.name.getText(file)}`;
      found.push({ name, comment: commentOf(file, member), body: member.body });
    }
  }
  return found;
}
