/** The suite's version; the same as package.json's, which a test compares. */
export const version = "0.1.0";
