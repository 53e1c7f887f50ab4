/** The suite's version; the same as package.json's, which a test compares. */
export const version = "0.1.0";
/** The version of the reference suite whose behaviour the plugins have: who decides by a version what a plugin can do knows that one's. */
export const referenceVersion = "1.9.1";
