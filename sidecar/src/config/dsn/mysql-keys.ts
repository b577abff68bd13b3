import type { KeyRule } from './key-rules.ts';

const WEAKENS = 'passing over it would weaken the connection, and it cannot be honoured here';
const POOL = 'it sizes the pool of another program; a sidecar needs a few connections';
const OWN = 'the sidecar says what it needs in each session';
const RESULTS = 'it tells another program how to read results';
const USE_MODE = 'use ssl-mode (or tls) and ssl-ca, ssl-cert, ssl-key';
const OFF = ['false', '0', 'no', 'off', ''];

/**
 * Keys of a MySQL DSN, in a URL as in Go's form. Those of go-sql-driver
 * (https://github.com/go-sql-driver/mysql#parameters), of MySQL's own programs
 * (https://dev.mysql.com/doc/refman/8.4/en/connecting-using-uri-or-key-value-pairs.html), and of
 * mysql2, Connector/J, MariaDB's connectors and SQLAlchemy that a Secret is likely to hold.
 */
export const MYSQL_KEYS: readonly KeyRule[] = [
  {
    names: ['tls'],
    fate: 'applied',
    why: 'true (chain and name verified), skip-verify, preferred, false; a registered name is refused',
  },
  {
    names: ['ssl-mode', 'sslMode'],
    fate: 'applied',
    why: 'DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY; default PREFERRED in a URL, none in the Go form, VERIFY_CA with ssl-ca',
  },
  {
    names: ['ssl-ca', 'sslrootcert'],
    fate: 'applied',
    why: 'path of a PEM file; REQUIRED and PREFERRED then verify the chain',
  },
  {
    names: ['ssl-cert'],
    fate: 'applied',
    why: "path of the client's certificate, PEM; with ssl-key",
  },
  {
    names: ['ssl-key'],
    fate: 'applied',
    why: "path of the client's key, PEM, without a password",
  },
  {
    names: ['socket', 'unix_socket', 'localSocket'],
    fate: 'applied',
    why: 'path of a Unix domain socket, in place of the host',
  },
  {
    names: ['timeout'],
    fate: 'applied',
    why: 'to connect to a host, a duration (10s, 500ms); default 10s',
  },
  { names: ['connect_timeout'], fate: 'applied', why: 'the same in whole seconds' },
  {
    names: ['connectTimeout', 'connect-timeout'],
    fate: 'applied',
    why: 'the same in milliseconds',
  },
  { names: ['rejectReadOnly'], fate: 'applied', why: 'true: pass over a server that is read-only' },
  {
    names: ['allowCleartextPasswords'],
    fate: 'applied',
    why: 'refused where the connection could be without TLS; else without effect: no password is sent in clear text',
  },

  {
    names: ['allowAllFiles', 'allowLoadLocalInfile', 'allowUrlInLocalInfile', 'local_infile'],
    fate: 'refused',
    why: 'it would let the server read files of this container',
    harmless: OFF,
  },
  {
    names: ['allowFallbackToPlaintext'],
    fate: 'refused',
    why: 'it would give up TLS where the server, or who stands between, has none; use tls=preferred if that is meant',
    harmless: OFF,
  },
  {
    names: ['allowOldPasswords', 'insecureAuth'],
    fate: 'refused',
    why: 'passwords of before MySQL 4.1 are not safe; set a new one',
    harmless: OFF,
  },
  { names: ['allowNativePasswords'], fate: 'refused', why: WEAKENS, harmless: ['true', '1', ''] },
  {
    names: ['serverPubKey', 'server-public-key-path', 'serverRSAPublicKeyFile'],
    fate: 'refused',
    why: `${WEAKENS}; use TLS`,
  },
  {
    names: [
      'ssl',
      'useSSL',
      'requireSSL',
      'verifyServerCertificate',
      'trustServerCertificate',
      'disableSslHostnameVerification',
      'ssl-verify-server-cert',
      'ssl_verify_cert',
      'ssl_verify_identity',
      'ssl_check_hostname',
    ],
    fate: 'refused',
    why: `it means different things in different programs; ${USE_MODE}`,
  },
  {
    names: [
      'serverSslCert',
      'keyStore',
      'trustStore',
      'keyStorePassword',
      'trustStorePassword',
      'trustCertificateKeyStoreUrl',
      'trustCertificateKeyStorePassword',
      'trustCertificateKeyStoreType',
      'clientCertificateKeyStoreUrl',
      'clientCertificateKeyStorePassword',
      'clientCertificateKeyStoreType',
      'sslaccept',
      'sslidentity',
    ],
    fate: 'refused',
    why: USE_MODE,
  },
  {
    names: ['sslpassword'],
    fate: 'refused',
    why: 'encrypted keys are not read; decrypt it: openssl pkey -in key.pem -out plain.pem',
  },
  {
    names: [
      'ssl-capath',
      'ssl-crl',
      'ssl-crlpath',
      'ssl-cipher',
      'enabledSslCipherSuites',
      'enabledSslProtocolSuites',
    ],
    fate: 'refused',
    why: `${WEAKENS}; give one file of authorities in ssl-ca`,
  },
  {
    names: ['tls-version', 'tls-versions', 'tlsVersions'],
    fate: 'refused',
    why: 'TLS 1.2 and 1.3 are spoken; demand more in the server (tls_version)',
    harmless: ['tlsv1.2', 'tlsv1.2,tlsv1.3', 'tlsv1.3,tlsv1.2', ''],
  },
  {
    names: ['user', 'password', 'host', 'port', 'database', 'dbname'],
    fate: 'refused',
    why: 'it stands before the ? in this form',
  },
  {
    names: [
      'authPlugins',
      'default-auth',
      'defaultAuthenticationPlugin',
      'authenticationPlugins',
      'auth-method',
      'passwordCharacterEncoding',
      'password1',
      'password2',
      'password3',
    ],
    fate: 'refused',
    why: 'how to log in is agreed with the server; leave it out',
  },

  {
    names: [
      'parseTime',
      'loc',
      'timeTruncate',
      'columnsWithAlias',
      'dateStrings',
      'supportBigNumbers',
      'bigNumberStrings',
      'decimalNumbers',
      'rowsAsArray',
      'nestTables',
      'typeCast',
      'zeroDateTimeBehavior',
      'tinyInt1isBit',
      'serverTimezone',
      'connectionTimeZone',
      'timezone',
      'useLegacyDatetimeCode',
    ],
    fate: 'ignored',
    why: RESULTS,
  },
  {
    names: ['charset', 'characterEncoding', 'useUnicode'],
    fate: 'ignored',
    why: 'texts are always sent as utf8mb4',
    harmless: ['utf8mb4', 'utf8', 'utf-8', 'utf8mb4,utf8', 'true', ''],
  },
  {
    names: ['collation', 'connectionCollation'],
    fate: 'ignored',
    why: 'texts compare by their bytes',
  },
  {
    names: [
      'interpolateParams',
      'multiStatements',
      'multipleStatements',
      'allowMultiQueries',
      'namedPlaceholders',
      'useServerPrepStmts',
      'cachePrepStmts',
      'prepStmtCacheSize',
      'prepStmtCacheSqlLimit',
      'rewriteBatchedStatements',
      'useBulkStmts',
      'maxPreparedStatements',
    ],
    fate: 'ignored',
    why: 'statements are prepared in the server, one at a time',
  },
  {
    names: ['maxAllowedPacket'],
    fate: 'ignored',
    why: "the server's own limit is read at each connection",
  },
  {
    names: [
      'readTimeout',
      'writeTimeout',
      'socketTimeout',
      'tcpKeepAlive',
      'enableKeepAlive',
      'keepAliveInitialDelay',
    ],
    fate: 'ignored',
    why: 'timeouts are its own; timeout and connect_timeout are applied',
  },
  {
    names: [
      'checkConnLiveness',
      'clientFoundRows',
      'flags',
      'compress',
      'compression',
      'connectionAttributes',
      'useCompression',
      'allowPublicKeyRetrieval',
      'get-server-public-key',
      'autoReconnect',
      'trace',
      'debug',
    ],
    fate: 'ignored',
    why: 'it tunes another program',
  },
  {
    names: [
      'connectionLimit',
      'waitForConnections',
      'queueLimit',
      'maxIdle',
      'idleTimeout',
      'pool_size',
      'pool_timeout',
      'maxPoolSize',
      'minPoolSize',
      'pool',
      'max_overflow',
      'pool_recycle',
    ],
    fate: 'ignored',
    why: POOL,
  },
  {
    names: [
      'sql_mode',
      'time_zone',
      'tx_isolation',
      'transaction_isolation',
      'innodb_lock_wait_timeout',
      'wait_timeout',
      'max_execution_time',
      'max_statement_time',
      'sessionVariables',
      'autocommit',
      'foreign_key_checks',
      'init_command',
    ],
    fate: 'ignored',
    why: OWN,
  },
];
