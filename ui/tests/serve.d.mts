export declare function serve(): Promise<{ url: string; close(): Promise<void> }>;
export declare const CHROMIUM: { executablePath: string; args: string[]; ignoreDefaultArgs: string[] };
