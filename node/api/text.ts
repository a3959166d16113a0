/** A text as a JSON answer. Fastify sends a bare string as it is, and Galaxy's clients parse every answer as JSON. */
import type { FastifyReply } from 'fastify';

export function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json').send(JSON.stringify(text));
}
