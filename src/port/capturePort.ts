import type { Burst } from '../core/index.ts';
import { CaptureDirection } from '../wire/index.ts';
import { CaptureFile } from './captureFile.ts';
import type { Port, PortStatistics } from './port.ts';
import type { PortSpec } from './portSpec.ts';
import { WrappedPort } from './wrappedPort.ts';

/** How a {@link CapturePort} captures. */
export interface CaptureSpec {
  /** file to write; docs/ports.md says what becomes of one that is there */
  readonly path: string;
  /** longest capture of a frame, at least 64; default 262,144 [bytes] */
  readonly snapLen?: number;
  /** what is collected before it is written, at least 4096; default 524,288 [bytes] */
  readonly bufferLen?: number;
}

/** What a {@link CapturePort} counted beside the port inside. */
export interface CaptureStatistics extends PortStatistics {
  /** frames that the file has, or will have */
  readonly captured: number;
  /** frames that passed, and that the file will not have */
  readonly notCaptured: number;
}

/** After so many polls that found nothing a spinning lane, which never calls arm(), has the capture written. */
const EMPTY_POLLS_MASK = 0xffff;

/**
 * A port that writes what passes through another one to a pcapng file: what rx() delivered, what tx() accepted.
 *
 * Everything else goes to the inner port as it is, which it owns: closing closes both. Each frame is copied once; the
 * file is written, on the thread of the port, when the buffer is full, by flush(), arm() and close(), and now and then
 * while nothing arrives. When it cannot be written any more, the port goes on without and loses nothing: `notCaptured`
 * counts the frames that passed unrecorded, and the report has the reason.
 */
export class CapturePort extends WrappedPort {
  readonly #file: CaptureFile;
  /** frames that tx() did not even offer, as the buffer could not hold them with the others of their burst */
  readonly #held = new Float64Array(1);
  #emptyPolls = 0;

  /** Creates the file. @throws RangeError, SystemError as {@link CaptureFile} */
  constructor(inner: Port, spec: CaptureSpec) {
    const file = new CaptureFile({ ...spec, interfaceName: inner.spec });
    super(inner, () => describeCapture(file));
    this.#file = file;
  }

  /** Receives, and captures what there was. @hot */
  override rx(burst: Burst): number {
    const file = this.#file;
    const count = this.inner.rx(burst);
    if (count === 0) {
      this.#emptyPolls = (this.#emptyPolls + 1) & EMPTY_POLLS_MASK;
      if (this.#emptyPolls === 0) file.write();
    }
    for (let first = 0; first < count; ) {
      const staged = file.stage(burst, first, this.regions, CaptureDirection.inbound);
      file.commit(burst, first, staged);
      first += staged;
    }
    return count;
  }

  /**
   * Captures the frames, sends them, and takes back from the capture what was not accepted.
   *
   * In this order: a frame that was sent is no longer ours to read. A burst that the buffer cannot hold is cut to what it
   * can, which is the prefix to be accepted at most.
   *
   * @hot
   */
  override tx(burst: Burst): number {
    const file = this.#file;
    const count = burst.count;
    const staged = file.stage(burst, 0, this.regions, CaptureDirection.outbound);
    const accepted = staged === count ? this.inner.tx(burst) : this.#sendPart(burst, staged);
    file.commit(burst, 0, accepted);
    return accepted;
  }

  /** Sends the first `count` descriptors; the burst keeps all, also when that throws. */
  #sendPart(burst: Burst, count: number): number {
    const all = burst.count;
    burst.count = count;
    try {
      const accepted = this.inner.tx(burst);
      this.#held[0]! += all - count;
      return accepted;
    } finally {
      burst.count = all;
    }
  }

  /** Has queued frames sent, then the capture written. @hot */
  override flush(): void {
    this.inner.flush();
    this.#file.write();
  }

  /** Writes the capture, then asks the inner port. */
  override arm(): boolean {
    this.#file.write();
    return this.inner.arm();
  }

  /** The inner port's, and what became of the capture: a frame that is not recorded is not lost. */
  override statistics(): CaptureStatistics {
    const inner = this.inner.statistics();
    const { captured, dropped: notCaptured } = this.#file;
    return { ...inner, txRefused: inner.txRefused + this.#held[0]!, captured, notCaptured };
  }

  /** Finishes the file and closes the port. Idempotent. */
  override close(): void {
    this.#file.close();
    this.inner.close();
  }
}

function describeCapture({ path, captured, dropped, failure }: CaptureFile): string {
  if (failure === undefined) return `capturing to ${path}: each frame is copied`;
  return `capturing to ${path} ended after ${captured} frames, ${dropped} more have passed: ${failure.message}`;
}

/**
 * Wraps a port as `capture=FILE,snaplen:256,buffer:65536` says; all but the file may be left out.
 *
 * @throws TypeError for a setting that nobody knows; what {@link CapturePort} throws
 */
export function wrapInCapture(port: Port, value: string, spec: PortSpec): CapturePort {
  const [path = '', ...settings] = value.split(',');
  if (path === '') throw new TypeError(`Cannot open ${spec.text}: capture must name a file`);
  const chosen: { snapLen?: number; bufferLen?: number } = {};
  for (const setting of settings) {
    const match = /^(snaplen|buffer):(\d+)$/.exec(setting);
    if (match === null) {
      throw new TypeError(
        `Cannot open ${spec.text}: capture takes FILE,snaplen:BYTES,buffer:BYTES, got "${setting}"`,
      );
    }
    chosen[match[1] === 'snaplen' ? 'snapLen' : 'bufferLen'] = Number(match[2]);
  }
  return new CapturePort(port, { path, ...chosen });
}
