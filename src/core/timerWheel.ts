// Six levels of 32 slots. A slot of level k spans 32^k ticks, so a timer hangs at the level where the digits (base 32)
// of its tick and of the wheel's tick first differ, and drops towards level 0 as the wheel reaches its slot:
//
//   tick    =  level 5 | level 4 | level 3 | level 2 | level 1 | level 0        5 bits each
//
// Hence every timer of a lower level is due before every timer of a higher one, and one word of occupied slots per
// level finds the next without walking empty slots.
//
// A slot is a circular doubly linked list through `next` and `prev`, with a sentinel node behind the timers' own:
//
//   node    =  0 … capacity - 1 timers | capacity … capacity + 191 the sentinels of the slots
const BITS = 5;
const SLOTS = 1 << BITS;
const LEVELS = 6;
// Farther timers wait in the farthest slot and are placed again from there. One slot less than the whole turn, so that
// the farthest slot is never the current one.
const MAX_DELTA = (SLOTS - 1) << (BITS * (LEVELS - 1));
const MAX_CAPACITY = 2 ** 20;

/** What a {@link TimerWheel} calls for a timer that is due; `handle` is stale by then. */
export type TimerHandler = (kind: number, data: number, handle: number) => void;

/** How to build a {@link TimerWheel}. */
export interface TimerWheelSpec {
  /** Most timers at a time, 1 to 2^20 [timers]. */
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
  /** A timer's handle; negated while the timer is free, so that it matches nobody's. */
  readonly #handle: Int32Array;
  /** One more generation of the same timer, in a handle: generation above, timer below. */
  readonly #generation: number;
  /** When the current tick began; in an array because a field beyond 2^31 would be boxed. */
  readonly #tickStartNs: Float64Array;
  /** The current tick, modulo 2^32. */
  #tick = 0;
  #free = 0;
  #count = 0;

  /**
   * Allocates everything.
   *
   * @throws RangeError when the capacity is not 1 to 2^20, the tick is no whole number above 0, or the time not finite
   */
  constructor(spec: TimerWheelSpec) {
    checkSpec(spec);
    const { capacity, tickNs, nowNs } = spec;
    const nodes = capacity + LEVELS * SLOTS;
    const indexBits = 32 - Math.clz32(capacity - 1);
    this.capacity = capacity;
    this.tickNs = tickNs;
    // Free timers are chained through `next`; a sentinel that points to itself is an empty slot.
    this.#next = Int32Array.from({ length: nodes }, (_, node) => (node < capacity ? node + 1 : node));
    this.#prev = Int32Array.from({ length: nodes }, (_, node) => node);
    this.#occupied = new Int32Array(LEVELS);
    this.#deadlineNs = new Float64Array(capacity);
    this.#kind = new Int32Array(capacity);
    this.#data = new Int32Array(capacity);
    this.#generation = 1 << indexBits;
    // As long as the index bits reach, so that any number may be looked up; what no timer has stays 0.
    this.#handle = new Int32Array(this.#generation);
    for (let timer = 0; timer < capacity; timer++) this.#handle[timer] = -(this.#generation + timer);
    this.#tickStartNs = Float64Array.of(nowNs);
  }

  /** Timers that are scheduled [timers]. */
  get count(): number {
    return this.#count;
  }

  /**
   * Schedules a timer.
   *
   * It fires in the first {@link advance} to its deadline, rounded up to a whole tick, or beyond; with a deadline in the
   * past, at the next tick. Timers of one tick fire in the order in which they were scheduled, as long as that was
   * less than 2^29 ticks ahead.
   *
   * @param deadlineNs - when to fire [monotonic ns]
   * @param kind - for the handler, an int32
   * @param data - for the handler, an int32
   * @returns a handle, above 0; -1 when `capacity` timers are scheduled
   * @hot
   */
  schedule(deadlineNs: number, kind: number, data: number): number {
    if (this.#count === this.capacity) return -1;
    const timer = this.#free;
    this.#free = this.#next[timer]!;
    this.#count++;
    this.#deadlineNs[timer] = deadlineNs;
    this.#kind[timer] = kind;
    this.#data[timer] = data;
    const ticks = this.#ticksUntil(deadlineNs);
    this.#place(timer, ticks === 0 ? 1 : ticks);
    const handle = -this.#handle[timer]! | 0;
    this.#handle[timer] = handle;
    return handle;
  }

  /**
   * Cancels a timer.
   *
   * A handle comes again after 2,048 (with the greatest capacity) or more uses of the same timer: forget handles that
   * have fired.
   *
   * @param handle - what {@link schedule} returned, or any other number
   * @returns whether the timer was still scheduled
   * @hot
   */
  cancel(handle: number): boolean {
    const timer = handle & (this.#generation - 1);
    if (handle <= 0 || this.#handle[timer] !== handle) return false;
    this.#unlink(timer);
    this.#recycle(timer);
    return true;
  }

  /**
   * Lets time pass and calls `handler` for every timer that has become due, in the order of their ticks.
   *
   * The handler may schedule and cancel, but not advance; what it schedules fires in the same call if it is due by then.
   * If it throws, its timer has fired and the others fire later.
   *
   * @param nowNs - the time; one that lies before the last changes nothing [monotonic ns]
   * @returns timers fired
   * @hot one comparison while the tick lasts
   */
  advance(nowNs: number, handler: TimerHandler): number {
    let fired = 0;
    let ticks = Math.floor((nowNs - this.#tickStartNs[0]!) / this.tickNs);
    while (ticks > MAX_DELTA) {
      fired += this.#turn(MAX_DELTA, handler);
      ticks -= MAX_DELTA;
    }
    // NB: from here on integers only, and time in arrays: a double handed to a function that is not inlined is boxed.
    return ticks >= 1 ? fired + this.#turn(ticks | 0, handler) : fired;
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
    return slot < 0 ? Infinity : this.#tickStartNs[0]! + this.#ticksTo(slot) * this.tickNs;
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
    this.#tickStartNs[0]! += ticks * this.tickNs;
  }

  #fire(slot: number, handler: TimerHandler): number {
    const sentinel = this.capacity + slot;
    let fired = 0;
    for (let timer = this.#next[sentinel]!; timer !== sentinel; timer = this.#next[sentinel]!) {
      const handle = this.#handle[timer]!;
      this.#unlink(timer);
      this.#recycle(timer);
      fired++;
      handler(this.#kind[timer]!, this.#data[timer]!, handle);
    }
    return fired;
  }

  #cascade(slot: number): void {
    const sentinel = this.capacity + slot;
    for (let timer = this.#next[sentinel]!; timer !== sentinel; timer = this.#next[sentinel]!) {
      this.#unlink(timer);
      this.#place(timer, this.#ticksUntil(this.#deadlineNs[timer]!));
    }
  }

  /** Ticks from the current one to the one at whose start the deadline has passed, 0 to MAX_DELTA. */
  #ticksUntil(deadlineNs: number): number {
    const ticks = Math.ceil((deadlineNs - this.#tickStartNs[0]!) / this.tickNs);
    if (!(ticks < MAX_DELTA)) return MAX_DELTA;
    return ticks > 0 ? ticks | 0 : 0;
  }

  /** Hangs a timer at the end of the slot for `ticks` from now. */
  #place(timer: number, ticks: number): void {
    const due = (this.#tick + ticks) | 0;
    const differs = 31 - Math.clz32((this.#tick ^ due) | 1); // the highest bit; 30 and 31 are turns of the top level
    const level = Math.min((differs / BITS) | 0, LEVELS - 1);
    const slot = (due >>> (level * BITS)) & (SLOTS - 1);
    const sentinel = this.capacity + level * SLOTS + slot;
    const last = this.#prev[sentinel]!;
    this.#next[last] = timer;
    this.#prev[timer] = last;
    this.#next[timer] = sentinel;
    this.#prev[sentinel] = timer;
    this.#occupied[level]! |= 1 << slot;
  }

  #unlink(timer: number): void {
    const before = this.#prev[timer]!;
    const after = this.#next[timer]!;
    this.#next[before] = after;
    this.#prev[after] = before;
    if (before !== after) return;
    const slot = before - this.capacity; // only a sentinel is on both sides of the last timer
    this.#occupied[slot >>> BITS]! &= ~(1 << (slot & (SLOTS - 1)));
  }

  #recycle(timer: number): void {
    const handle = (this.#handle[timer]! + this.#generation) | 0;
    this.#handle[timer] = -(handle > 0 ? handle : this.#generation + timer);
    this.#next[timer] = this.#free;
    this.#free = timer;
    this.#count--;
  }

  /** The occupied slot that the wheel reaches first, counted through all levels; -1 when there is none. */
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
