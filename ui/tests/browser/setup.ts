import { serve } from '../serve.mjs';

export default async function setup(): Promise<() => Promise<void>> {
  const server = await serve();
  process.env['PAGE_URL'] = server.url;
  return () => server.close();
}
