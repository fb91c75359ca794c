/** The bodies of error answers. Three of them are verbatim: clients compare them as text. */

export interface ErrorBody {
  message: string;
  details?: string;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};

/** `{"message":"<status> <reason>","details":...}`, the shape of every error but the verbatim ones. */
export function errorBody(status: number, details?: string): ErrorBody {
  const message = `${status} ${REASONS[status] ?? 'Error'}`;
  return details === undefined ? { message } : { message, details };
}

export const UNAUTHORIZED_BODY: ErrorBody = Object.freeze({ message: '401 Unauthorized' });
export const TOO_MANY_REQUESTS_BODY: ErrorBody = Object.freeze({
  message: '429 Too Many Requests',
});
/** Unknown export, or one of another merchant or app: the caller cannot tell which. */
export const EXPORT_NOT_FOUND_BODY: ErrorBody = Object.freeze({
  message: 'Not Found',
  details: 'Export not found',
});
