// Six levels of 32 slots. A slot of level k spans 32^k ticks, so a timer hangs at the level where the digits (base 32)
// of its tick and of the wheel's tick first differ, and drops towards level 0 as the wheel reaches its slot:
//
//   tick    =  level 5 | level 4 | level 3 | level 2 | level 1 | level 0        5 bits each
//
// Hence every timer of a lower level is due before every timer of a higher one, and one word of occupied slots per
// level finds the next without walking empty slots.
//
// A slot is a circular doubly linked list through `next` and `prev`, headed by a sentinel. The nodes are
// numbered so that a slot's number is its sentinel's, and 0 is never a timer:
//
//   node    =  0 … 191 the sentinels, 32 of each level | 192 … 191 + capacity the timers
const BITS = 5;
const SLOTS = 1 << BITS;
const LEVELS = 6;
// Farther timers wait in the farthest slot and are placed again from there. One slot less than the whole turn, so that
// the farthest slot is never the current one.
const MAX_DELTA = (SLOTS - 1) << (BITS * (LEVELS - 1));
const FIRST_TIMER = LEVELS * SLOTS;
const MAX_CAPACITY = 2 ** 20 - FIRST_TIMER;
const MAX_HANDLE = 2 ** 31 - 1;

const TICK_START = 0;
const NOW = 1;

/** What a {@link TimerWheel} calls for a timer that is due; `handle` is stale by then. */
export type TimerHandler = (kind: number, data: number, handle: number) => void;

/** How to build a {@link TimerWheel}. */
export interface TimerWheelSpec {
  /** Most timers at a time, 1 to 2^20 - 192 [timers]. */
  readonly capacity: number;
  /** The wheel's resolution: a timer fires up to one tick after its deadline, never before [ns]. */
  readonly tickNs: number;
  /** The time at which it starts [monotonic ns]. */
  readonly nowNs: number;
}

/**
 * Many timers for one thread: scheduling, cancelling and firing one cost the same however many there are.
 *
 * It has no clock of its own: time passes in {@link advance} only, so a test is deterministic and a lane reads its
 * clock once per burst. All memory is allocated at the start. A timer is a `kind` and a `data` word for the one
 * handler instead of a closure, and a handle that goes stale when it fires or is cancelled, so cancelling twice is
 * harmless. Handles are above 0: a field that holds none may hold 0.
 *
 * @source G. Varghese, T. Lauck: Hashed and Hierarchical Timing Wheels (SOSP 1987), scheme 7
 */
export class TimerWheel {
  /** Most timers at a time [timers]. */
  readonly capacity: number;
  /** The wheel's resolution [ns]. */
  readonly tickNs: number;
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #occupied: Int32Array;
  readonly #deadlineNs: Float64Array;
  readonly #kind: Int32Array;
  readonly #data: Int32Array;
  /** Each timer's handle: generation above, node below. Inverted while free: it names another node and fits none. */
  readonly #handle: Int32Array;
  /** What to add to a handle for the next generation, a power of two above every node. */
  readonly #generation: number;
  /** When the current tick began, and what time it is; in an array because a field beyond 2^31 would be boxed. */
  readonly #timeNs: Float64Array;
  /** The current tick, modulo 2^32. */
  #tick = 0;
  #free: number = FIRST_TIMER;
  #count = 0;

  /**
   * Allocates everything.
   *
   * @throws RangeError when the capacity is not 1 to 2^20 - 192, the tick no whole number above 0, the time not finite
   */
  constructor(spec: TimerWheelSpec) {
    checkSpec(spec);
    const { capacity, tickNs, nowNs } = spec;
    const nodes = FIRST_TIMER + capacity;
    this.capacity = capacity;
    this.tickNs = tickNs;
    // An empty slot's sentinel points to itself; free timers are chained through `next`, and 0 ends the chain.
    this.#next = new Int32Array(nodes);
    this.#prev = new Int32Array(nodes);
    for (let slot = 0; slot < FIRST_TIMER; slot++) this.#next[slot] = this.#prev[slot] = slot;
    for (let timer = FIRST_TIMER; timer < nodes - 1; timer++) this.#next[timer] = timer + 1;
    this.#occupied = new Int32Array(LEVELS);
    this.#deadlineNs = new Float64Array(nodes);
    this.#kind = new Int32Array(nodes);
    this.#data = new Int32Array(nodes);
    this.#generation = 1 << (32 - Math.clz32(nodes - 1));
    // As long as the node bits of a handle reach, so that cancel may look up any number.
    this.#handle = new Int32Array(this.#generation);
    for (let node = 0; node < this.#generation; node++) this.#handle[node] = ~node;
    this.#timeNs = Float64Array.of(nowNs, nowNs);
  }

  /** Timers that are scheduled [timers]. */
  get count(): number {
    return this.#count;
  }

  /**
   * Schedules a timer.
   *
   * It fires in the first {@link advance} to its deadline, rounded up to a whole tick, or beyond; with a deadline in
   * the past, at the next tick. Timers of one tick fire in the order in which they were scheduled, as long as that
   * was less than 2^29 ticks ahead.
   *
   * @param deadlineNs - when to fire [monotonic ns]
   * @param kind - for the handler, an int32
   * @param data - for the handler, an int32
   * @returns a handle, above 0; -1 when `capacity` timers are scheduled
   * @hot
   */
  schedule(deadlineNs: number, kind: number, data: number): number {
    if (this.#free === 0) return -1;
    // NB: a double handed to a function that is not inlined is boxed, hence this is short and the rest reads memory.
    this.#deadlineNs[this.#free] = deadlineNs;
    return this.#start(kind, data);
  }

  /**
   * Cancels a timer.
   *
   * A handle comes again after 2^31 / capacity uses of the same timer, roughly: forget it once its timer has fired.
   *
   * @param handle - what {@link schedule} returned, or any other number
   * @returns whether the timer was still scheduled
   * @hot
   */
  cancel(handle: number): boolean {
    const timer = handle & (this.#generation - 1);
    if (this.#handle[timer] !== handle) return false;
    this.#unlink(timer);
    this.#recycle(timer);
    return true;
  }

  /**
   * Lets time pass and calls `handler` for every timer that has become due, in the order of their ticks.
   *
   * The handler may schedule and cancel, but not advance; what it schedules fires in the same call if it is due by
   * then. If it throws, its timer has fired and the others fire later.
   *
   * @param nowNs - the time; one that lies before the last changes nothing [monotonic ns]
   * @returns timers fired
   * @hot one comparison while the tick lasts
   */
  advance(nowNs: number, handler: TimerHandler): number {
    this.#timeNs[NOW] = nowNs;
    return this.#catchUp(handler);
  }

  /**
   * Until when a lane may sleep: the next time at which {@link advance} has something to do.
   *
   * For a far timer that is earlier than its deadline, as it moves down level by level.
   *
   * @returns the time [monotonic ns]; Infinity when no timer is scheduled
   */
  nextWakeNs(): number {
    const slot = this.#nextSlot();
    return slot < 0 ? Infinity : this.#timeNs[TICK_START]! + this.#ticksTo(slot) * this.tickNs;
  }

  #start(kind: number, data: number): number {
    const timer = this.#free;
    const handle = ~this.#handle[timer]!;
    this.#free = this.#next[timer]!;
    this.#count++;
    this.#kind[timer] = kind;
    this.#data[timer] = data;
    this.#handle[timer] = handle;
    const ticks = this.#ticksUntilDue(timer);
    this.#place(timer, ticks === 0 ? 1 : ticks);
    return handle;
  }

  #catchUp(handler: TimerHandler): number {
    let fired = 0;
    let ticks = Math.floor((this.#timeNs[NOW]! - this.#timeNs[TICK_START]!) / this.tickNs);
    while (ticks > MAX_DELTA) {
      fired += this.#turn(MAX_DELTA, handler);
      ticks -= MAX_DELTA;
    }
    return ticks >= 1 ? fired + this.#turn(ticks | 0, handler) : fired;
  }

  #turn(ticks: number, handler: TimerHandler): number {
    let fired = 0;
    let left = ticks;
    for (;;) {
      const slot = this.#nextSlot();
      const ahead = slot < 0 ? left + 1 : this.#ticksTo(slot);
      if (ahead > left) break;
      this.#step(ahead);
      left -= ahead;
      if (slot < SLOTS) fired += this.#fire(slot, handler);
      else this.#cascade(slot);
    }
    this.#step(left);
    return fired;
  }

  #step(ticks: number): void {
    this.#tick = (this.#tick + ticks) | 0;
    this.#timeNs[TICK_START]! += ticks * this.tickNs;
  }

  #fire(slot: number, handler: TimerHandler): number {
    let fired = 0;
    for (let timer = this.#next[slot]!; timer !== slot; timer = this.#next[slot]!) {
      const handle = this.#handle[timer]!;
      this.#unlink(timer);
      this.#recycle(timer);
      fired++;
      handler(this.#kind[timer]!, this.#data[timer]!, handle);
    }
    return fired;
  }

  #cascade(slot: number): void {
    for (let timer = this.#next[slot]!; timer !== slot; timer = this.#next[slot]!) {
      this.#unlink(timer);
      this.#place(timer, this.#ticksUntilDue(timer));
    }
  }

  /** Ticks from the current one to the one at whose start the deadline has passed, 0 to MAX_DELTA. */
  #ticksUntilDue(timer: number): number {
    const ticks = Math.ceil((this.#deadlineNs[timer]! - this.#timeNs[TICK_START]!) / this.tickNs);
    if (!(ticks < MAX_DELTA)) return MAX_DELTA;
    return ticks > 0 ? ticks | 0 : 0;
  }

  /** Hangs a timer at the end of the slot for `ticks` from now. */
  #place(timer: number, ticks: number): void {
    const due = (this.#tick + ticks) | 0;
    const differs = 31 - Math.clz32((this.#tick ^ due) | 1); // the highest bit; 30 and 31 are turns of the top level
    const level = Math.min((differs / BITS) | 0, LEVELS - 1);
    const digit = (due >>> (level * BITS)) & (SLOTS - 1);
    const slot = level * SLOTS + digit;
    const last = this.#prev[slot]!;
    this.#next[last] = timer;
    this.#prev[timer] = last;
    this.#next[timer] = slot;
    this.#prev[slot] = timer;
    this.#occupied[level]! |= 1 << digit;
  }

  #unlink(timer: number): void {
    const before = this.#prev[timer]!;
    const after = this.#next[timer]!;
    this.#next[before] = after;
    this.#prev[after] = before;
    if (before !== after) return;
    // Only a sentinel stands on both sides of a timer: that was the last one of the slot.
    this.#occupied[before >>> BITS]! &= ~(1 << (before & (SLOTS - 1)));
  }

  #recycle(timer: number): void {
    // The node bits keep every handle above 0, in generation 0 too.
    this.#handle[timer] = ~((this.#handle[timer]! + this.#generation) & MAX_HANDLE);
    this.#next[timer] = this.#free;
    this.#free = timer;
    this.#count--;
  }

  /** The occupied slot that the wheel reaches first; -1 when there is none. */
  #nextSlot(): number {
    for (let level = 0; level < LEVELS; level++) {
      const occupied = this.#occupied[level]!;
      if (occupied === 0) continue;
      const current = (this.#tick >>> (level * BITS)) & (SLOTS - 1);
      const ahead = (occupied >>> current) | (occupied << (SLOTS - current));
      const distance = 31 - Math.clz32(ahead & -ahead);
      return level * SLOTS + ((current + distance) & (SLOTS - 1));
    }
    return -1;
  }

  /** Ticks until the wheel reaches the start of that slot. */
  #ticksTo(slot: number): number {
    const shift = (slot >>> BITS) * BITS;
    const current = this.#tick >>> shift;
    const distance = (slot - current) & (SLOTS - 1);
    return (((current + distance) << shift) - this.#tick) | 0;
  }
}

function checkSpec({ capacity, tickNs, nowNs }: TimerWheelSpec): void {
  if (!(Number.isInteger(capacity) && capacity >= 1 && capacity <= MAX_CAPACITY)) {
    throw new RangeError(
      `Cannot build a timer wheel: capacity must be 1 to ${MAX_CAPACITY}, got ${capacity}`,
    );
  }
  if (!(Number.isInteger(tickNs) && tickNs >= 1)) {
    throw new RangeError(
      `Cannot build a timer wheel: tickNs must be a whole number from 1 on, got ${tickNs}`,
    );
  }
  if (!Number.isFinite(nowNs)) {
    throw new RangeError(`Cannot build a timer wheel: nowNs must be finite, got ${nowNs}`);
  }
}
