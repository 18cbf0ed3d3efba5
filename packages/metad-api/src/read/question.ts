import type { Form } from '../render/render.ts';

/** Who asks for what. */
export interface Question {
  /** Null for a client that cannot be identified. */
  readonly host: string | null;
  readonly path: string;
  readonly form: Form;
}
