/** A capture that cannot be read, and the byte from which on it cannot. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  /** where the malformed part begins [byte offset] */
  readonly offset: number;

  /** @param reason - what is wrong there, wanted and current value */
  constructor(offset: number, reason: string) {
    super(`Cannot read capture at byte ${offset}: ${reason}`);
    this.offset = offset;
  }
}

/** Link type of Ethernet, the one that is read. @source draft-ietf-opsawg-pcaplinktype */
const LINKTYPE_ETHERNET = 1;

/** Throws unless `linkType`, which stands at `offset`, is Ethernet. @throws CaptureError - it is not */
export function assertEthernet(offset: number, linkType: number): void {
  if (linkType === LINKTYPE_ETHERNET) return;
  throw new CaptureError(offset, `wanted link type 1 (Ethernet), not ${linkType}`);
}
