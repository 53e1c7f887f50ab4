/** What a plugin left behind when it ended, wherever it ran. */

export interface Outcome {
  /** The exit status: 0 is success. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}
