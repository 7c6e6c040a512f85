import { serve } from '../serve.mjs';

export default async function setup(): Promise<() => Promise<void>> {
  const server = await serve();
  process.env['WINDOW_URL'] = server.url;
  return () => server.close();
}
