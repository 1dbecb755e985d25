import { CountersPage, type CountersPageSpec } from '../core/index.ts';

/** Indexes of a lane's counters on its page. */
export const LaneCounter = {
  /** passes over all pollables */
  passes: 0,
  /** what poll() returned, added up, in the pollables' own units */
  work: 1,
  /** passes in which no pollable had work */
  idlePasses: 2,
  /** times the thread gave the core up for a while: nanosleep(2) or poll(2) */
  sleeps: 3,
  /** sleeps that a file descriptor ended before the time limit did */
  wakeups: 4,
} as const;

/** What a lane counted since it started. */
export type LaneStatistics = { readonly [name in keyof typeof LaneCounter]: number };

const COUNTERS: CountersPageSpec['counters'] = [
  { name: 'passes', unit: 'passes', help: 'Passes over all pollables of the lane' },
  { name: 'work', unit: 'units', help: 'Work that the pollables did, usually frames' },
  { name: 'idlePasses', unit: 'passes', help: 'Passes in which no pollable had work' },
  { name: 'sleeps', unit: 'sleeps', help: 'Times the lane gave its core up for want of work' },
  { name: 'wakeups', unit: 'sleeps', help: 'Sleeps that a file descriptor ended before the time limit did' },
];

/** Makes the page of a lane, all zero, in memory that other threads can share. */
export function createLanePage(name: string): CountersPage {
  const spec: CountersPageSpec = { labels: { lane: name }, counters: COUNTERS };
  return CountersPage.create(new SharedArrayBuffer(CountersPage.sizeOf(spec)), 0, spec);
}

/** Reads all counters of a lane's page; each is exact, though not all of one instant. */
export function readLanePage({ values }: CountersPage): LaneStatistics {
  const { passes, work, idlePasses, sleeps, wakeups } = LaneCounter;
  return {
    passes: values[passes]!,
    work: values[work]!,
    idlePasses: values[idlePasses]!,
    sleeps: values[sleeps]!,
    wakeups: values[wakeups]!,
  };
}
