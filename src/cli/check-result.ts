/** What one check found. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What is there, or what is wrong. */
  readonly detail: string;
  readonly fix?: string;
  /** False: a node runs without it, but does less. */
  readonly isNeeded: boolean;
}
