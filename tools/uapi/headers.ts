/** What a C constant expression may call by name. */
type Lookup = (name: string) => bigint | undefined;

/** Binary operators of C that constants use, by how tightly they bind. */
const PRECEDENCE: readonly Readonly<Record<string, (a: bigint, b: bigint) => bigint>>[] = [
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  { '<<': (a, b) => a << b, '>>': (a, b) => a >> b },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b },
];

const TOKEN = /\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<|>>|[-+*~|^&()])([uUlL]*)/y;

/**
 * Evaluates the C constant expressions that kernel headers use: integers, names, `( ) ~ - + * << >> & ^ |`.
 *
 * @returns undefined when it is anything else: a string, a cast, a macro with arguments
 */
export function evaluate(expression: string, lookup: Lookup): bigint | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const text = expression.trim();
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (!match) return undefined;
    tokens.push(match[1]!);
  }
  const unsigned = /\b(0[xX][0-9a-fA-F]+|\d+)[lL]*[uU]/.test(text);
  let at = 0;

  const primary = (): bigint | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (token === '(') {
      const inner = binary(0);
      return tokens[at++] === ')' ? inner : undefined;
    }
    if (token === '-' || token === '~') {
      const value = primary();
      if (value === undefined) return undefined;
      return token === '-' ? -value : ~value;
    }
    if (/^0[0-7]+$/.test(token)) return BigInt(`0o${token}`);
    return /^\d/.test(token) ? BigInt(token) : lookup(token);
  };

  const binary = (level: number): bigint | undefined => {
    const operators = PRECEDENCE[level];
    if (!operators) return primary();
    let left = binary(level + 1);
    for (;;) {
      const operator = operators[tokens[at] ?? ''];
      if (!operator || left === undefined) return left;
      at++;
      const right = binary(level + 1);
      left = right === undefined ? undefined : operator(left, right);
    }
  };

  const value = binary(0);
  if (value === undefined || at !== tokens.length) return undefined;
  return unsigned && value < 0n ? BigInt.asUintN(32, value) : value;
}

/**
 * The constants that a set of C headers defines: object-like macros and enumerators.
 *
 * A small stand-in for the preprocessor: conditions are ignored and the first definition of a name wins, which is right
 * for the headers of the kernel, where the others are guards and compatibility.
 */
export class Headers {
  readonly #expressions = new Map<string, string>();
  readonly #paths = new Map<string, string>();
  readonly #values = new Map<string, bigint | undefined>();

  /** Reads the text of one more header. @param path - what {@link Headers.source} gives for its constants */
  add(path: string, text: string): void {
    const code = text
      .replace(/\/\*[\s\S]*?\*\//g, ' ')
      .replace(/\/\/.*/g, '')
      .replace(/\\\n/g, ' ');
    for (const [, name, expression] of code.matchAll(/^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\S.*)$/gm)) {
      this.#define(path, name!, expression!);
    }
    for (const [, body] of code.replace(/^[ \t]*#.*$/gm, '').matchAll(/\benum\b[^{;()]*\{([^}]*)\}/g)) {
      this.#addEnum(path, body!);
    }
  }

  /** Returns the value of a constant, or undefined when no header defines it as an integer. */
  value(name: string): number | undefined {
    const value = this.#evaluate(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }

  /** The names that were defined, in the order of the headers. */
  names(): string[] {
    return [...this.#expressions.keys()];
  }

  /** Returns the path of the header that defines a name. */
  source(name: string): string | undefined {
    return this.#paths.get(name);
  }

  #define(path: string, name: string, expression: string): void {
    // A macro of its own name exports an enumerator to #ifdef.
    if (expression.trim() === name || this.#expressions.has(name)) return;
    this.#expressions.set(name, expression);
    this.#paths.set(name, path);
  }

  #addEnum(path: string, body: string): void {
    let previous = '';
    for (const entry of body.split(',')) {
      const match = /^\s*(\w+)\s*(?:=([\s\S]*))?$/.exec(entry);
      if (!match) continue;
      const implicit = previous === '' ? '0' : `${previous} + 1`;
      this.#define(path, match[1]!, match[2]?.replace(/\s+/g, ' ') ?? implicit);
      previous = match[1]!;
    }
  }

  #evaluate(name: string): bigint | undefined {
    if (this.#values.has(name)) return this.#values.get(name);
    this.#values.set(name, undefined); // a name that leads back to itself has no value
    const expression = this.#expressions.get(name);
    const value =
      expression === undefined ? undefined : evaluate(expression, (inner) => this.#evaluate(inner));
    this.#values.set(name, value);
    return value;
  }
}
