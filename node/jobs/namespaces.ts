/** Storage namespaces of the job side. */
export const JOB_NAMESPACES = {
  /** Job id → what this node must remember of a job it has not ended: its place in the queue, where an upload lies. */
  queue: 'jobs.queue',
  /** `<job>-<attempt>` → an outcome that its account's home has not acknowledged. */
  outbox: 'jobs.outbox',
} as const;
