import type { KeyRule } from './key-rules.ts';

const WEAKENS = 'passing over it would weaken the connection, and it cannot be honoured here';
const POOL = 'it sizes the pool of another program; a sidecar needs a few connections';
const PREPARED = 'it tunes the statements of another program';
const SESSION =
  'no session state is set, since a pooler would drop it; use ALTER ROLE ... SET where it is needed';

/**
 * Keys of a Postgres DSN: libpq's
 * (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS), and those of
 * pgx, lib/pq, JDBC, node-postgres and Prisma that a Secret is likely to hold.
 */
export const POSTGRES_KEYS: readonly KeyRule[] = [
  {
    names: ['host'],
    fate: 'applied',
    why: 'name, address, or the directory of a socket; several with commas, tried in order',
  },
  { names: ['hostaddr'], fate: 'applied', why: 'address, in place of host' },
  { names: ['port'], fate: 'applied', why: 'default 5432; several with commas, one for each host' },
  { names: ['user'], fate: 'applied', why: 'required' },
  { names: ['password'], fate: 'applied', why: 'may be missing' },
  { names: ['dbname'], fate: 'applied', why: "default: the user's name, as in libpq" },
  {
    names: ['sslmode'],
    fate: 'applied',
    why: "libpq's meaning; default prefer, or verify-full with sslrootcert=system",
  },
  {
    names: ['ssl'],
    fate: 'applied',
    why: 'true: sslmode=require, as in libpq; no other value',
    harmless: [''],
  },
  {
    names: ['sslrootcert'],
    fate: 'applied',
    why: 'path of a PEM file; system: the authorities that the machine trusts',
  },
  {
    names: ['sslcert'],
    fate: 'applied',
    why: "path of the client's certificate, PEM; with sslkey",
  },
  { names: ['sslkey'], fate: 'applied', why: "path of the client's key, PEM, without a password" },
  {
    names: ['target_session_attrs', 'targetServerType'],
    fate: 'applied',
    why: 'any (default), read-write or primary: the last two pass over a server that is read-only',
  },
  { names: ['connect_timeout'], fate: 'applied', why: 'whole seconds for each host; default 10' },
  {
    names: ['application_name', 'ApplicationName'],
    fate: 'applied',
    why: 'shown in pg_stat_activity',
  },
  {
    names: ['fallback_application_name'],
    fate: 'applied',
    why: 'used where application_name is missing',
  },
  {
    names: ['search_path', 'currentSchema', 'schema'],
    fate: 'applied',
    why: 'its first schema holds the tables: statements name it, nothing is set in the session',
  },
  {
    names: ['options'],
    fate: 'applied',
    why: 'of -c name=value only search_path; a route (endpoint=, --cluster=) or a role is refused',
  },

  {
    names: ['service', 'servicefile'],
    fate: 'refused',
    why: 'it takes the connection from another file; write host, user and dbname here',
  },
  {
    names: ['passfile'],
    fate: 'refused',
    why: 'it takes the password from another file; give it here, and the whole DSN by STORAGE_DSN_FILE',
  },
  {
    names: ['sslpassword'],
    fate: 'refused',
    why: 'encrypted keys are not read; decrypt it: openssl pkey -in key.pem -out plain.pem',
  },
  {
    names: ['channel_binding'],
    fate: 'refused',
    why: `${WEAKENS}; verify the server by sslmode=verify-full instead`,
    harmless: ['prefer', 'disable', ''],
  },
  {
    names: ['require_auth'],
    fate: 'refused',
    why: `${WEAKENS}; verify the server by sslmode=verify-full instead`,
    harmless: [''],
  },
  {
    names: ['gssencmode'],
    fate: 'refused',
    why: 'GSS is not spoken here; use TLS',
    harmless: ['prefer', 'disable', ''],
  },
  {
    names: ['krbsrvname', 'gsslib', 'gssdelegation', 'krbspn', 'gsslevel'],
    fate: 'refused',
    why: 'GSS is not spoken here; log in by password or certificate',
  },
  { names: ['requirepeer'], fate: 'refused', why: WEAKENS },
  {
    names: ['requiressl'],
    fate: 'refused',
    why: 'libpq has dropped it; use sslmode=require',
    harmless: ['0', ''],
  },
  { names: ['sslcrl', 'sslcrldir'], fate: 'refused', why: WEAKENS, harmless: [''] },
  { names: ['sslcertmode'], fate: 'refused', why: WEAKENS, harmless: ['allow', ''] },
  {
    names: ['ssl_min_protocol_version'],
    fate: 'refused',
    why: 'TLS 1.2 is the least; a higher one cannot be demanded here, but in the server (ssl_min_protocol_version)',
    harmless: ['tlsv1', 'tlsv1.1', 'tlsv1.2', ''],
  },
  {
    names: ['sslkeylogfile'],
    fate: 'refused',
    why: 'it would write the keys of the connection to a file',
  },
  {
    names: ['sslinline'],
    fate: 'refused',
    why: 'certificates are read from files: sslrootcert, sslcert, sslkey',
    harmless: ['false', ''],
  },
  {
    names: ['sslfactory', 'sslfactoryarg', 'sslhostnameverifier', 'sslpasswordcallback'],
    fate: 'refused',
    why: 'it names code of a Java program; use sslmode and sslrootcert',
  },
  {
    names: ['sslaccept', 'sslidentity'],
    fate: 'refused',
    why: "it is Prisma's; use sslmode, sslrootcert, sslcert and sslkey",
  },
  {
    names: ['scram_client_key', 'scram_server_key'],
    fate: 'refused',
    why: 'keys in place of a password are not taken',
  },
  {
    names: ['oauth_issuer', 'oauth_client_id', 'oauth_client_secret', 'oauth_scope'],
    fate: 'refused',
    why: 'OAuth is not spoken here; log in by password or certificate',
  },
  {
    names: ['replication'],
    fate: 'refused',
    why: 'a replication connection takes no statements',
    harmless: ['false', 'off', 'no', '0', ''],
  },

  {
    names: ['client_encoding'],
    fate: 'ignored',
    why: 'texts are always sent as UTF-8',
    harmless: ['utf8', 'utf-8', 'unicode', 'auto', ''],
  },
  {
    names: [
      'keepalives',
      'keepalives_idle',
      'keepalives_interval',
      'keepalives_count',
      'tcp_user_timeout',
      'tcpKeepAlive',
    ],
    fate: 'ignored',
    why: 'dead connections are found by timeouts of its own',
  },
  {
    names: ['sslnegotiation'],
    fate: 'ignored',
    why: 'TLS is negotiated, which every server understands',
    harmless: ['postgres', ''],
  },
  {
    names: [
      'sslcompression',
      'sslsni',
      'ssl_max_protocol_version',
      'min_protocol_version',
      'max_protocol_version',
    ],
    fate: 'ignored',
    why: 'the safe default is used',
  },
  {
    names: ['load_balance_hosts', 'loadBalanceHosts', 'hostRecheckSeconds'],
    fate: 'ignored',
    why: 'hosts are tried in the order given',
    harmless: ['disable', 'false', ''],
  },
  {
    names: ['uselibpqcompat'],
    fate: 'ignored',
    why: "sslmode always has libpq's meaning",
    harmless: ['true', ''],
  },
  {
    names: [
      'pool_max_conns',
      'pool_min_conns',
      'pool_min_idle_conns',
      'pool_max_conn_lifetime',
      'pool_max_conn_lifetime_jitter',
      'pool_max_conn_idle_time',
      'pool_health_check_period',
      'pool_size',
      'max',
      'connection_limit',
      'pool_timeout',
      'max_overflow',
    ],
    fate: 'ignored',
    why: POOL,
  },
  {
    names: [
      'default_query_exec_mode',
      'statement_cache_mode',
      'statement_cache_capacity',
      'description_cache_capacity',
      'prepareThreshold',
      'preparedStatementCacheQueries',
      'preparedStatementCacheSizeMiB',
      'prefer_simple_protocol',
      'binary_parameters',
      'disable_prepared_binary_result',
      'reWriteBatchedInserts',
      'pgbouncer',
      'statement_cache_size',
      'prepared_statements',
    ],
    fate: 'ignored',
    why: PREPARED,
  },
  {
    names: [
      'loginTimeout',
      'socketTimeout',
      'cancelSignalTimeout',
      'socket_timeout',
      'query_timeout',
      'idleTimeoutMillis',
      'connectionTimeoutMillis',
    ],
    fate: 'ignored',
    why: 'timeouts are its own; connect_timeout is applied',
  },
  {
    names: [
      'statement_timeout',
      'lock_timeout',
      'idle_in_transaction_session_timeout',
      'timezone',
      'TimeZone',
      'DateStyle',
      'datestyle',
      'IntervalStyle',
      'extra_float_digits',
      'default_transaction_isolation',
      'default_transaction_read_only',
      'standard_conforming_strings',
      'work_mem',
      'geqo',
    ],
    fate: 'ignored',
    why: SESSION,
  },
];
