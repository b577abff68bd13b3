/** The part of the WebAssembly JavaScript API in use; TypeScript has it only among the DOM's types. */
declare namespace WebAssembly {
  type ModuleImports = Record<string, unknown>;

  class Memory {
    /** Another object after each growth; the earlier one is detached. */
    readonly buffer: ArrayBuffer;
    constructor(descriptor: { initial: number });
  }

  class Instance {
    readonly exports: Readonly<Record<string, unknown>>;
    constructor(module: Module, imports: Readonly<Record<string, ModuleImports>>);
  }

  function compile(bytes: Uint8Array): Promise<Module>;
}
