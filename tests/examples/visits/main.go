// Command visits is the example's web application: it counts visits in Redis and shows the count. With -check it is its own
// healthcheck, because its image holds nothing but this program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// page is all that the application shows: a title, the count, and an s where it is not one.
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>%[1]s</title>
<style>body { font: 1.2rem/1.5 system-ui, sans-serif; margin: 20vh auto; max-width: 30rem; text-align: center }</style>
<h1>%[1]s</h1>
<p>This page was visited <strong id="count">%[2]d</strong> time%[3]s.</p>
</html>
`

func main() {
	check := flag.Bool("check", false, "ask the running application whether it is healthy, and exit 0 or 1")
	flag.Parse()
	if err := run(*check); err != nil {
		log.Fatal(err)
	}
}

func run(check bool) error {
	listen := env("LISTEN", ":8080")
	if check {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			return fmt.Errorf("LISTEN: %w", err)
		}
		return healthy("http://127.0.0.1:" + port + "/healthz")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server := &http.Server{Addr: listen, Handler: handler(env("TITLE", "Visits"), redis(env("REDIS", "redis:6379"))), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	log.Printf("listening on %s", listen)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Print("stopped")
	return nil
}

// store is what the application asks of Redis.
type store interface {
	do(command string) (string, error)
}

func handler(title string, s store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		count, err := s.do("INCR visits")
		if err != nil {
			unavailable(w, err)
			return
		}
		n, err := strconv.Atoi(count)
		if err != nil {
			unavailable(w, fmt.Errorf("redis counts %q: %w", count, err))
			return
		}
		plural := "s"
		if n == 1 {
			plural = ""
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, page, html.EscapeString(title), n, plural) // a visitor who left is no error
		log.Printf("visit %d", n)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := s.do("PING"); err != nil {
			unavailable(w, err)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	return mux
}

func unavailable(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}

func healthy(url string) error {
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

func env(key, otherwise string) string {
	if value := os.Getenv(key); value != "" {
		return value
	}
	return otherwise
}
