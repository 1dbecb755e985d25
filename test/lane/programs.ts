// What the lanes of the tests run. Every factory gets its orders as `data`.
import type { Pollable } from '../../src/core/index.ts';
import type { LaneContext, LaneProgram } from '../../src/lane/index.ts';
import { EventFd, NetworkNamespace, SystemError } from '../../src/sys/index.ts';

/** A pollable without work, fd or surprises, but for what `over` says. */
function pollable(over: Partial<Pollable> = {}): Pollable {
  return { poll: () => 0, fds: [], arm: () => true, ...over };
}

/** Stops its lane in the first pass. */
function stopAtOnce(context: LaneContext): Pollable {
  return pollable({
    poll: () => {
      context.stop();
      return 0;
    },
  });
}

/** Never has work; `fd`, when given, never becomes readable. */
export function idle(_context: LaneContext, data?: { fd?: number }): LaneProgram {
  return { pollables: [pollable(data?.fd === undefined ? {} : { fds: [data.fd] })] };
}

/** Always has all the work that its budget allows. */
export function busy(): LaneProgram {
  return { pollables: [pollable({ poll: (budget) => budget, arm: () => false })] };
}

/** Says where it runs, then stops itself after `polls` polls and delivers what it saw. */
export function countdown(
  context: LaneContext,
  data: { polls: number; shared: SharedArrayBuffer },
): LaneProgram {
  const seen: string[] = [];
  let polls = 0;
  const poll = (): number => {
    if (++polls === data.polls) context.stop();
    return 1;
  };
  return {
    pollables: [pollable({ poll })],
    close: () => seen.push('close'),
    result: () => {
      new Int32Array(data.shared)[0] = 7;
      return { name: context.name, core: context.core, nowNs: context.nowNs(), polls, seen };
    },
  };
}

/** Answers every signal on one eventfd by one on another. */
export function echo(_context: LaneContext, data: { ping: number; pong: number }): LaneProgram {
  const ping = EventFd.borrow(data.ping);
  const pong = EventFd.borrow(data.pong);
  const poll = (): number => {
    const signals = ping.drain();
    if (signals > 0) pong.signal();
    return signals > 0 ? 1 : 0;
  };
  return { pollables: [pollable({ poll, fds: [ping.fd] })] };
}

/** Stops at once and tells in which namespace it was made. */
export function whereAmI(context: LaneContext): LaneProgram {
  using namespace = NetworkNamespace.current();
  const { id } = namespace;
  return { pollables: [stopAtOnce(context)], result: () => id };
}

const failure = (): SystemError =>
  new SystemError('Cannot do it to', { syscall: 'bind(AF_XDP)', errno: 16, subject: 'eth0 queue 3' });

function fail(): never {
  throw failure();
}

export const failsInFactory: () => LaneProgram = fail;
export const failsInPoll = (): LaneProgram => ({ pollables: [pollable({ poll: fail })] });
export const failsInArm = (): LaneProgram => ({ pollables: [pollable({ arm: fail })] });
export const failsInClose = (context: LaneContext): LaneProgram => ({
  pollables: [stopAtOnce(context)],
  close: fail,
});
export const failsInPollAndClose = (): LaneProgram => ({
  pollables: [pollable({ poll: fail })],
  close: () => {
    throw new RangeError('close too');
  },
});
export const failsInResult = (context: LaneContext): LaneProgram => ({
  pollables: [stopAtOnce(context)],
  result: fail,
});
export const resultCannotCross = (context: LaneContext): LaneProgram => ({
  pollables: [stopAtOnce(context)],
  result: () => () => 1,
});
export const reports = (): LaneProgram => ({ pollables: [pollable()], report: () => ({ via: 'test' }) });
export const reportCannotCross = (): LaneProgram => ({ pollables: [pollable()], report: () => () => 1 });
export const throwsText = (): LaneProgram => ({
  pollables: [
    pollable({
      poll: () => {
        throw 'text';
      },
    }),
  ],
});
export const exits = (): LaneProgram => ({ pollables: [pollable({ poll: () => process.exit(3) })] });
export const exitsInFactory = (): LaneProgram => process.exit(4);
/** Says in shared memory that it hangs, and does. */
export function hangs(_context: LaneContext, data: SharedArrayBuffer): LaneProgram {
  const poll = (): number => {
    Atomics.store(new Int32Array(data), 0, 1);
    for (;;) {}
  };
  return { pollables: [pollable({ poll })] };
}

/** Closes the fd that its lane sleeps on. */
export function closesItsFd(): LaneProgram {
  const own = EventFd.create('closed by its program');
  const { fd } = own;
  const poll = (): number => {
    own.close();
    return 0;
  };
  return { pollables: [pollable({ poll, fds: [fd] })] };
}

export const isAsync = async (): Promise<LaneProgram> => ({ pollables: [] });
export const hasNoPollables = (): unknown => ({ pollable: [] });
export const hasBadPollable = (): unknown => ({ pollables: [{ poll: () => 0 }] });
export const notAFunction = 5;

/** Leaves a timer behind, which would keep the thread alive. */
export const leavesTimer = (context: LaneContext): LaneProgram => {
  setInterval(() => {}, 1000);
  return { pollables: [stopAtOnce(context)] };
};

/** Never can be woken and says so. */
export const refusesToSleep = (_context: LaneContext, data: { fd: number }): LaneProgram => ({
  pollables: [pollable({ fds: [data.fd], arm: () => false })],
});
