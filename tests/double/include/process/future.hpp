// After process/future.hpp of apache/mesos (3rdparty/libprocess): futures with what the module chains to them. As there,
// callbacks run on the thread that sets the promise, or at once where it was set before.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stout/duration.hpp>
#include <stout/option.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace process {

struct Failure {
  explicit Failure(std::string text) : message(std::move(text)) {}
  const std::string message;
};

namespace timers {
// Runs f on the event loop's thread, as Clock::timer does.
void later(const Duration& duration, std::function<void()> f);
}  // namespace timers

template <typename T>
class Future {
 public:
  using Value = T;
  Future() : data_(std::make_shared<Data>()) {}
  Future(T value) : Future() { complete(std::move(value), None()); }
  Future(const Failure& failure) : Future() { complete(None(), failure.message); }

  bool isReady() const { return lock()->value.isSome(); }
  bool isFailed() const { return lock()->failure.isSome(); }
  bool isPending() const {
    const auto data = lock();
    return data->value.isNone() && data->failure.isNone();
  }
  const T& get() const { return lock()->value.get(); }
  const std::string& failure() const { return lock()->failure.get(); }

  // Future::await: false where the time is over.
  bool await(const Duration& duration) const {
    std::unique_lock<std::mutex> lock(data_->mutex);
    return data_->changed.wait_for(lock, duration.chrono(), [this] { return !data_->pending(); });
  }

  const Future& onAny(std::function<void(const Future&)> callback) const {
    {
      const std::lock_guard<std::mutex> lock(data_->mutex);
      if (data_->pending()) {
        data_->callbacks.push_back(std::move(callback));
        return *this;
      }
    }
    callback(*this);
    return *this;
  }

  // Future::then: f gets the value or nothing, and returns a value or a future; a failure passes through.
  template <typename F>
  auto then(F f) const {
    using Returned = typename Call<F>::type;
    using Next = typename Wrap<Returned>::type;
    Next next;
    onAny([next, f](const Future& self) mutable {
      if (self.isFailed()) {
        next.complete(None(), self.failure());
      } else if constexpr (std::is_invocable_v<F, const T&>) {
        next.follow(f(self.get()));
      } else {
        next.follow(f());
      }
    });
    return next;
  }

  // Future::after: what f returns, where this is pending for longer than the duration.
  Future after(const Duration& duration, std::function<Future(const Future&)> f) const {
    Future next;
    const Future self = *this;
    onAny([next](const Future& ready) mutable { next.same(ready); });
    timers::later(duration, [next, self, f]() mutable {
      if (next.isPending()) {
        next.follow(f(self));
      }
    });
    return next;
  }

 private:
  template <typename U>
  friend class Future;
  template <typename U>
  friend class Promise;

  struct Data {
    std::mutex mutex;
    std::condition_variable changed;
    Option<T> value;
    Option<std::string> failure;
    std::vector<std::function<void(const Future&)>> callbacks;
    bool pending() const { return value.isNone() && failure.isNone(); }
  };

  template <typename F, typename = void>
  struct Call {
    using type = std::invoke_result_t<F>;
  };
  template <typename F>
  struct Call<F, std::enable_if_t<std::is_invocable_v<F, const T&>>> {
    using type = std::invoke_result_t<F, const T&>;
  };
  template <typename U>
  struct Wrap {
    using type = Future<U>;
  };
  template <typename U>
  struct Wrap<Future<U>> {
    using type = Future<U>;
  };

  struct Locked {
    explicit Locked(Data* data) : data_(data), lock_(data->mutex) {}
    Data* operator->() const { return data_; }
    Data* data_;
    std::unique_lock<std::mutex> lock_;
  };
  Locked lock() const { return Locked(data_.get()); }

  // The first completion counts, as in Future::set.
  bool complete(Option<T> value, Option<std::string> failure) {
    std::vector<std::function<void(const Future&)>> callbacks;
    {
      const std::lock_guard<std::mutex> lock(data_->mutex);
      if (!data_->pending()) {
        return false;
      }
      data_->value = std::move(value);
      data_->failure = std::move(failure);
      callbacks.swap(data_->callbacks);
    }
    data_->changed.notify_all();
    for (const auto& callback : callbacks) {
      callback(*this);
    }
    return true;
  }

  void same(const Future& that) {
    if (that.isReady()) {
      complete(that.get(), None());
    } else {
      complete(None(), that.failure());
    }
  }
  void follow(const Future& that) {
    Future self = *this;
    that.onAny([self](const Future& ready) mutable { self.same(ready); });
  }

  std::shared_ptr<Data> data_;
};

template <typename T>
class Promise {
 public:
  Future<T> future() const { return future_; }
  bool set(T value) { return future_.complete(std::move(value), None()); }
  bool fail(const std::string& message) { return future_.complete(None(), message); }

 private:
  Future<T> future_;
};

}  // namespace process
