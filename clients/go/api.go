package storageclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	dialTimeout = 2 * time.Second
	// idleTimeout is below the 125 s for which the sidecar keeps a connection.
	idleTimeout = 90 * time.Second
	// maxAnswerBytes of an answer are read; a list's page has 4 MiB of text, which escapes may double.
	maxAnswerBytes = 32 << 20
)

// api speaks HTTP with the sidecar.
type api struct {
	base      string
	client    *http.Client
	transport *http.Transport
}

func newAPI(rawURL string) (*api, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	transport := &http.Transport{
		// The sidecar is beside us: no proxy, whatever the environment says.
		Proxy:               nil,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: dialTimeout,
		// One connection for the sender, the others for lists.
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true,
	}
	base, socket, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	client := &http.Client{
		Transport: transport,
		// A sidecar never redirects; what does is not one, and gets no records.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &api{base: base, client: client, transport: transport}, nil
}

// parseURL splits the sidecar's address into the URL before the paths, and the Unix socket to reach
// it by, if any. Errors do not repeat the address: it may hold a password.
func parseURL(rawURL string) (base, socket string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", "", errors.New("storageclient: the sidecar's URL cannot be read; it should be like http://127.0.0.1:8085")
	}
	if u.Scheme == "unix" {
		path := u.Path + u.Opaque
		if !strings.HasPrefix(path, "/") || u.Host != "" {
			return "", "", errors.New("storageclient: a unix: URL must name an absolute path, such as unix:/run/storage.sock")
		}
		return "http://localhost", path, nil
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", "", errors.New("storageclient: the sidecar's URL must be http, https or unix, such as http://127.0.0.1:8085")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", "", errors.New("storageclient: the port of the sidecar's URL must be between 1 and 65535")
		}
	}
	// A query may be empty and is one all the same: paths would be appended behind the question mark.
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", "", errors.New("storageclient: the sidecar's URL must have no user, query or fragment")
	}
	return strings.TrimRight(u.String(), "/"), "", nil
}

// post sends a batch of n records and reads the answer. The error is a *failure, or one of the transport.
func (a *api) post(ctx context.Context, k kind, body []byte, n int, wait time.Duration) (receipt, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+layouts[k].path, bytes.NewReader(body))
	if err != nil {
		return receipt{}, err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	if seconds := int(wait / time.Second); seconds > 0 {
		request.Header.Set("Prefer", "wait="+strconv.Itoa(seconds))
	}
	// Not sent: it tells the transport that a request which met a closing connection may be repeated,
	// since records carry their event ids.
	request.Header["Idempotency-Key"] = []string{}
	response, answer, err := a.do(request)
	if err != nil {
		return receipt{}, err
	}
	return read(response.StatusCode, response.Header, answer, n)
}

// get reads a document.
func (a *api) get(ctx context.Context, path string, query url.Values) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return 0, nil, err
	}
	response, body, err := a.do(request)
	if err != nil {
		return 0, nil, err
	}
	return response.StatusCode, body, nil
}

// do reads the answer to its end, so that the connection can be used again.
func (a *api) do(request *http.Request) (*http.Response, []byte, error) {
	request.Header.Set("Accept", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		// A url.Error repeats the query, which may name people.
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return nil, nil, because(request.Context(), err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("the answer broke off: %w", because(request.Context(), err))
	}
	if len(body) > maxAnswerBytes {
		return nil, nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswerBytes)
	}
	return response, body, nil
}

// because is why a request failed: the end of its context, where that came first.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// timeoutError is a request that took so long; it is a context.DeadlineExceeded.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return "no answer within " + time.Duration(e).Round(time.Millisecond).String()
}

func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

// bounded bounds the time of a request.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, timeoutError(timeout))
}

func (a *api) close() { a.transport.CloseIdleConnections() }
