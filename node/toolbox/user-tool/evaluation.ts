/** What the isolate is asked and what it answers: plain data, because it crosses to a thread of its own. */

export interface EvaluationRequest {
  /** The tool's own functions (`expression_lib`). */
  libraries: string[];
  /** JSON of `inputs`, as they are and with marks (marks.ts). */
  plain: string;
  marked: string[];
  /** JSON of `runtime`. */
  runtime: string;
  expressions: { kind: 'expression' | 'body'; code: string }[];
  /** Nothing is run: is it JavaScript at all? */
  checkOnly?: boolean;
}

export interface Evaluated {
  plain: string;
  marked: string[];
  /** A text, and no number, list or object written as JSON. */
  isText: boolean;
}

export type Fault = {
  /** `library`: in which of them; else of the expressions. */
  where: 'expression' | 'library';
  index: number;
  /** Within it, from 0. */
  line: number;
  reason: string;
};

export type EvaluationResult = { values: Evaluated[] } | { fault: Fault };

/** Whoever evaluates. */
export interface Isolate {
  /** Never rejects for what an expression does. */
  evaluate(request: EvaluationRequest): Promise<EvaluationResult>;
}

export const LIMITS = {
  /** Of each evaluation. */
  memoryBytes: 32 * 1024 * 1024,
  stackBytes: 256 * 1024,
  /** Times that QuickJS asks whether to go on, once in some 10,000 steps. */
  asksMax: 300,
  resultChars: 1024 * 1024,
  inputBytes: 4 * 1024 * 1024,
  /** Of a whole request, on the outside: what no question can interrupt. */
  wallMs: 5_000,
} as const;
