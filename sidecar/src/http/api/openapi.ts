import type { Route } from '../routes.ts';
import { componentSchemas } from './openapi-schemas.ts';
import { COMMON_PARAMETERS, type Operation } from './operations.ts';

/** A route and what OpenAPI says of it. */
export interface ApiRoute extends Route {
  readonly operation: Operation;
}

/** Builds the OpenAPI 3.1 document of a table of routes. */
export function openApiDocument(routes: readonly Omit<ApiRoute, 'handle'>[], version: string) {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const { method, path, operation } of routes) {
    const item = paths[path] ?? {};
    paths[path] = item;
    item[method.toLowerCase()] = operation;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AgentTier storage',
      version,
      description: 'Records of what happened to sandboxes, and what they cost.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8085' }],
    paths,
    components: {
      schemas: componentSchemas(),
      parameters: COMMON_PARAMETERS,
      headers: {
        RequestId: {
          required: true,
          description: "The caller's own where it is plain, else a new one.",
          schema: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,128}$' },
        },
        RetryAfter: {
          required: true,
          description: 'Seconds.',
          schema: { type: 'integer', minimum: 1 },
        },
      },
    },
  };
}
