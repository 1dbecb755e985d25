import { dirname, normalize } from 'node:path/posix';

/** A link, and nothing in front of it that makes it an image. */
const LINK = /(?<!!)\[((?:[^[\]]|`[^`]*`)*)\]\(([^)\s]+)\)/g;

/**
 * Makes the relative links of a page true inside the published package.
 *
 * A link to a TypeScript source leads to the JavaScript that it became; a link to anything that is not in the package
 * keeps its text alone.
 *
 * @param path - of the page, relative to the root
 * @param isPacked - whether the package has a path
 */
export function packedLinks(path: string, text: string, isPacked: (path: string) => boolean): string {
  return text.replace(LINK, (link, words: string, target: string) => {
    if (/^([a-z][a-z+.-]*:|#)/i.test(target)) return link;
    const [file = '', anchor] = target.split('#', 2);
    const built = file.replace(/\.ts$/, '.js');
    if (!isPacked(normalize(`${dirname(path)}/${built}`))) return words;
    return `[${words}](${built}${anchor === undefined ? '' : `#${anchor}`})`;
  });
}
