/** Put in by the build, from package.json. */
declare const AGENTTIER_VERSION: string;

/** The version of this build; `development` where it is run unbundled. */
export const VERSION = typeof AGENTTIER_VERSION === 'undefined' ? 'development' : AGENTTIER_VERSION;
