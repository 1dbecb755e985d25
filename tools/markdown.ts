import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A piece of code in a Markdown file: a fenced block with its info string, or inline code (`info` is `inline`). */
export interface Code {
  readonly info: string;
  readonly text: string;
  /** Line of its first character, 1-based. */
  readonly line: number;
}

/** A Markdown file taken apart into its code and the prose around it. */
export interface Page {
  /** Path relative to the root. */
  readonly path: string;
  /** The text with fenced code blanked, lines kept. */
  readonly prose: string;
  readonly code: readonly Code[];
}

/** Reads the pages whose links, commands and snippets have to be true. */
export function openPages(root: string): Page[] {
  const paths = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).sort();
  return paths.map((path) => parsePage(path, readFileSync(join(root, path), 'utf8')));
}

/** Separates code from prose. */
export function parsePage(path: string, text: string): Page {
  const code: Code[] = [];
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length;
  const blank = (block: string): string => block.replace(/[^\n]/g, ' ');
  const prose = text.replace(
    /^(```+)([^\n]*)\n([\s\S]*?)^\1[ \t]*$/gm,
    (block, _ticks, info, body, offset) => {
      code.push({ info: String(info).trim(), text: String(body), line: lineAt(Number(offset)) + 1 });
      return blank(block);
    },
  );
  for (const match of prose.matchAll(/`([^`\n]+)`/g)) {
    code.push({ info: 'inline', text: match[1]!, line: lineAt(match.index) });
  }
  return { path, prose, code };
}

/** Returns one line for each relative link that leads to no file, or to no heading in it. */
export function checkLinks(root: string, pages: readonly Page[]): string[] {
  const problems: string[] = [];
  const slugs = new Map(pages.map((page) => [page.path, headingSlugs(page.prose)]));
  for (const { path, prose } of pages) {
    for (const match of prose.matchAll(/\]\(([^)\s]+)(?:\s[^)]*)?\)/g)) {
      const target = match[1]!;
      if (/^[a-z][a-z+.-]*:/i.test(target)) continue;
      const line = prose.slice(0, match.index).split('\n').length;
      const [file = '', anchor] = target.split('#', 2);
      const linked = file === '' ? path : join(dirname(path), decodeURIComponent(file));
      if (!existsSync(join(root, linked)))
        problems.push(`${path}:${line}: Mend the link to ${target}: no such file`);
      else if (anchor !== undefined && slugs.get(linked)?.has(anchor) === false) {
        problems.push(`${path}:${line}: Mend the link to ${target}: no such heading`);
      }
    }
  }
  return problems;
}

/** The anchors that a Markdown viewer gives the headings: lower case, hyphens for spaces, punctuation dropped. */
function headingSlugs(prose: string): Set<string> {
  const slugs = new Set<string>();
  for (const match of prose.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const words = match[1]!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
    const slug = words.replace(/\s/g, '-');
    let unique = slug;
    for (let n = 1; slugs.has(unique); n++) unique = `${slug}-${n}`;
    slugs.add(unique);
  }
  return slugs;
}

const SHELL = /^(?:inline|sh|bash|shell|console)$/;

/** Returns one line for each `npm …` script and `barewire …` command that a page names and that does not exist. */
export function checkCommands(
  pages: readonly Page[],
  scripts: ReadonlySet<string>,
  verbs: ReadonlySet<string>,
): string[] {
  const problems: string[] = [];
  for (const { path, code } of pages) {
    for (const { info, text, line } of code) {
      if (!SHELL.test(info)) continue;
      for (const [, , name] of text.matchAll(/\bnpm (run |(?=start\b|test\b))([\w:-]+)/g)) {
        if (!scripts.has(name!))
          problems.push(`${path}:${line}: Add script ${name} to package.json, or name another`);
      }
      for (const [, verb] of text.matchAll(/(?:^|[;&|] *|\bnpx |\bsudo |\$ )barewire ([a-z][\w-]*)/gm)) {
        if (!verbs.has(verb!))
          problems.push(`${path}:${line}: Add command ${verb} to barewire, or name another`);
      }
    }
  }
  return problems;
}

/** Returns the commands that `barewire --help` lists. */
export function commandVerbs(root: string): Set<string> {
  const { stdout } = spawnSync(process.execPath, ['src/cli/main.ts', '--help'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [, list = ''] = stdout.split(/^Commands:$/m);
  return new Set([...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map((match) => match[1]!));
}

/** Runs every snippet fenced as `ts run` as a module in the project's root; returns one entry for each that fails. */
export function runSnippets(root: string, pages: readonly Page[]): { ran: number; problems: string[] } {
  const problems: string[] = [];
  let ran = 0;
  for (const { path, code } of pages) {
    for (const { info, text, line } of code) {
      if (info !== 'ts run') continue;
      ran++;
      const args = ['--input-type=module-typescript', '--eval', text];
      const { status, signal, stderr } = spawnSync(process.execPath, args, {
        cwd: root,
        encoding: 'utf8',
        timeout: 60_000,
      });
      if (status !== 0)
        problems.push(
          `${path}:${line}: Mend this snippet: ${signal ?? `exit code ${status}`}\n${stderr.trimEnd()}`,
        );
    }
  }
  return { ran, problems };
}
