export {
  ExportClient,
  type ClientOptions,
  type DownloadedFile,
  type WaitOptions,
} from './client.ts';
export { ExportError } from './errors.ts';
