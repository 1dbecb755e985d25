import { extname } from 'node:path/posix';

/**
 * Returns the URL of a module that lies beside the calling one, with the extension that the caller itself runs under.
 *
 * A worker's URL and a lane's module are strings, which no compiler rewrites: `./parse` is parse.ts in the sources and
 * parse.js in the published package.
 *
 * ```ts
 * const lane = await Lane.start({ module: siblingUrl(import.meta.url, './parse') });
 * ```
 *
 * @param base - `import.meta.url` of the caller
 * @param path - relative path without an extension
 * @throws TypeError when `base` is no file with an extension
 */
export function siblingUrl(base: string, path: string): URL {
  const { protocol, pathname } = new URL(base);
  const extension = extname(pathname);
  if (protocol !== 'file:' || extension === '') {
    throw new TypeError(`Cannot find ${path}: base must be the URL of a file with an extension, got ${base}`);
  }
  return new URL(path + extension, base);
}
