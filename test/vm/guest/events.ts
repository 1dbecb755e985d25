/** A line that the guest writes: a test began or ended, or said something after its end. `nesting` is 0 at the top. */
export type GuestEvent =
  | { readonly event: 'started'; readonly kernel: string }
  | { readonly event: 'begin'; readonly nesting: number; readonly name: string }
  | {
      readonly event: 'end';
      readonly nesting: number;
      readonly name: string;
      /** true, or the reason */
      readonly skip: boolean | string;
      /** the error with its stack; null when the test passed */
      readonly error: string | null;
      readonly durationMs: number;
    }
  | { readonly event: 'note'; readonly nesting: number; readonly text: string }
  | { readonly event: 'finished' };
