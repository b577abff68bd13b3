import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'vitest';

/** One answer of the API, however it was fetched. Names of headers are in lower case. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

interface Header {
  readonly required?: boolean;
  readonly schema: { readonly type: string };
}

interface Responses {
  readonly [status: string]: {
    readonly headers?: Readonly<Record<string, Header | { readonly $ref: string }>>;
    readonly content: Readonly<Record<string, { readonly schema: object }>>;
  };
}

export interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Responses }>>>
  >;
  readonly components: {
    readonly headers: Readonly<Record<string, Header>>;
    readonly schemas: Readonly<Record<string, object>>;
  };
}

/** Methods and paths that the document does not know are answered with a problem, as all errors. */
const OTHER: Responses[string] = {
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

/**
 * Makes the check that an answer is as the document says: status, headers, media type and body.
 *
 * @param document as the API serves it at /openapi.json
 */
export function openApiCheck(document: OpenApi) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ ...document, $id: 'openapi' });
  const validators = new Map<object, ValidateFunction>();

  function validatorOf(schema: object): ValidateFunction {
    let validator = validators.get(schema);
    if (validator === undefined) {
      const text = JSON.stringify(schema).replaceAll('"#/', '"openapi#/');
      validator = ajv.compile(JSON.parse(text) as object);
      validators.set(schema, validator);
    }
    return validator;
  }

  return function check(method: string, target: string, answer: Answer): void {
    const path = target.replace(/\?.*/s, '');
    const item = document.paths[path];
    const operation = item?.[method.toLowerCase()] ?? (method === 'HEAD' ? item?.get : undefined);
    const known = operation?.responses[answer.status];
    if (operation !== undefined) {
      expect(known, `${method} ${path} answers ${answer.status}`).toBeDefined();
    } else {
      expect([400, 404, 405, 413, 415, 417, 421, 431]).toContain(answer.status);
    }
    const response = known ?? OTHER;

    for (const [name, header] of Object.entries(response.headers ?? {})) {
      const resolved =
        '$ref' in header ? document.components.headers[header.$ref.replace(/.*\//, '')] : header;
      const value = answer.headers[name.toLowerCase()];
      if (value === undefined) {
        expect(resolved?.required, `${name} may be absent`).not.toBe(true);
      } else if (resolved !== undefined) {
        const typed = resolved.schema.type === 'integer' ? Number(value) : value;
        const validate = validatorOf(resolved.schema);
        expect(validate(typed), `${name}: ${ajv.errorsText(validate.errors)}`).toBe(true);
      }
    }

    const type = answer.headers['content-type'] ?? '';
    expect(Object.keys(response.content)).toContain(type);
    if (method === 'HEAD' || !type.endsWith('json')) return;
    const validate = validatorOf(response.content[type]?.schema ?? {});
    const valid = validate(JSON.parse(answer.text));
    expect(valid, `${method} ${path}: ${ajv.errorsText(validate.errors)}`).toBe(true);
  };
}
