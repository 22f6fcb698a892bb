/* SPDX-License-Identifier: Apache-2.0 */
/* sleep.pml - going to sleep and being woken: a subscriber that waits for messages on all its
 * rings, a publisher that waits for room, and those that wake them (bus/ring/wait.c
 * tbus_waiter_park; bus/include/tickbus/publisher.h tbus_publisher_wake; bus/ring/wake.c
 * tbus_ring_wake, tbus_ring_wake_publishers; bus/ring/subscriber.c wake_publishers). STEP_1 to
 * STEP_5 are the steps of wait.h.
 *
 * Every label is a step: at most one access to shared memory, or one system call. Plain stores go
 * through a FIFO buffer per process and reach memory some time later: a publisher's "store the
 * slot, look at `sleepers`" has no fence in between. Locked instructions (fetch_or, fetch_and,
 * fetch_add, CAS) wait until their own process's buffer is empty; membarrier(2) empties
 * everybody's, one process after the other. Several publishers of one ring commit with a CAS, which
 * on aarch64 does not order the load behind it: WEAK sends it through the buffer as well.
 *
 * A ring is here a row of slots that become READY in the order of their claims; slot.pml and
 * broadcast.pml model what is in them. A process that has found nothing parks at once.
 *
 * What must hold: no process sleeps on although there is what it waits for. When nobody can move
 * any more, no sleeper has a message or room to find, and without crashes everything is published
 * and received, though no sleep ends by its timeout. EARLY lets that many sleeps end early (a
 * timeout, a signal), so that processes go back to sleep while another one is still about to wake
 * them. Where a waker may be killed, or a process waits for room on a ring with several publishers,
 * this does not hold and is not meant to: the timeout of every sleep is there for these cases.
 * TIMEOUT models it: sleeps end when nobody can move.
 *
 * Parameters: PUBLISHERS (1, 2), RINGS (1: all publish on it; 2: one each), SUBSCRIBERS (1, 2),
 * MESSAGES (per publisher), CAPACITY (0: there is always room; else slots in a ring), CRASHES (of
 * publishers), EARLY, TIMEOUT, WEAK, FENCE (no membarrier on this host: publishers and subscribers
 * pay a fence), AWAKE (how often a subscriber may clear its bit in `fences_wanted`: it has taken
 * messages for a while, and its next sleep is like its first).
 */
#ifndef PUBLISHERS
#define PUBLISHERS 2
#endif
#ifndef RINGS
#define RINGS 1
#endif
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef CAPACITY
#define CAPACITY 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef AWAKE
#define AWAKE 0
#endif

#define PER_RING (PUBLISHERS * MESSAGES / RINGS)
#define RING_OF(publisher) ((publisher) % RINGS)
#define SEVERAL (PUBLISHERS > RINGS)
#define AT(ring, position) ((ring) * PER_RING + (position))
#define PLACE(ring, subscriber) ((ring) * SUBSCRIBERS + (subscriber))

/* --- shared memory --- */
bool ready[RINGS * PER_RING]; /* the slot words */
byte tail[RINGS];             /* claims, in the slots */
byte sleepers[RINGS];         /* bit i: subscriber i sleeps, or is about to */
byte fences_wanted[RINGS];    /* bit i: subscriber i sleeps often */
byte bell[RINGS * SUBSCRIBERS];
#if CAPACITY
byte progress[RINGS * SUBSCRIBERS];
bool pubs_waiting[RINGS];
byte room_bell[RINGS];
#endif

/* --- the kernel's part --- */
bool asleep[SUBSCRIBERS];
#if CAPACITY
bool publisher_asleep[PUBLISHERS];
#endif
byte crashes, early;

/* --- the subscribers' own positions; here for the judge to see --- */
byte position_of[RINGS * SUBSCRIBERS];

#define DIES atomic { crashes < CRASHES -> crashes++; goto dies }

/* --- store buffers: {address, value}; a publisher's are slots, a subscriber's are progress --- */
chan publisher_buffer[PUBLISHERS] = [2] of { byte };
#define VISIBLE_SLOT(p) publisher_buffer[p] ? at -> ready[at] = true; at = 0
#if CAPACITY
chan subscriber_buffer[SUBSCRIBERS] = [2] of { byte, byte };
#define VISIBLE_PROGRESS(s) \
	subscriber_buffer[s] ? at, value -> progress[at] = value; at = 0; value = 0
#endif

active proctype store_buffers()
{
	byte at;
#if CAPACITY
	byte value;
#endif
end_quiet:
	do
	:: atomic { VISIBLE_SLOT(0) }
#if PUBLISHERS > 1
	:: atomic { VISIBLE_SLOT(1) }
#endif
#if CAPACITY
	:: atomic { VISIBLE_PROGRESS(0) }
#if SUBSCRIBERS > 1
	:: atomic { VISIBLE_PROGRESS(1) }
#endif
#endif
	od
}

#define PUBLISHER_DRAINED(p) empty(publisher_buffer[p])
#if CAPACITY
#define SUBSCRIBER_DRAINED(s) empty(subscriber_buffer[s])
#else
#define SUBSCRIBER_DRAINED(s) true
#endif
#ifdef FENCE
#define FENCE_PUBLISHER(p) PUBLISHER_DRAINED(p)
#define FENCE_SUBSCRIBER(s) SUBSCRIBER_DRAINED(s)
#else
#define FENCE_PUBLISHER(p) true
#define FENCE_SUBSCRIBER(s) true
#endif

/* membarrier(2): when it returns, every process has had an empty buffer since it was called. */
inline membarrier()
{
#if !defined(MUTATE_NO_MEMBARRIER) && !defined(FENCE)
	PUBLISHER_DRAINED(0);
#if PUBLISHERS > 1
	PUBLISHER_DRAINED(1);
#endif
#if CAPACITY
	SUBSCRIBER_DRAINED(0);
#if SUBSCRIBERS > 1
	SUBSCRIBER_DRAINED(1);
#endif
#endif
#endif
	skip
}

#if CAPACITY
/* Room for one more message: the slowest subscriber's progress plus the ring's length. */
#if SUBSCRIBERS > 1
#define ROOM(ring, position) \
	(progress[PLACE(ring, 0)] + CAPACITY > (position) && \
	 progress[PLACE(ring, 1)] + CAPACITY > (position))
#else
#define ROOM(ring, position) (progress[PLACE(ring, 0)] + CAPACITY > (position))
#endif
#endif

proctype publisher(byte me)
{
	byte ring = RING_OF(me);
	byte left = MESSAGES;
	byte wake, position, i;
	bool often;
#if CAPACITY
	byte room_value;
#endif

next_message:
	if
	:: left == 0 -> goto done
	:: else
	fi;
	/* Several publishers: claim, a CAS (slot.pml). One: its own position. The gate is looked at
	 * before. */
claim:
	if
	:: atomic {
#if CAPACITY
		ROOM(ring, tail[ring]) ->
#endif
		PUBLISHER_DRAINED(me) || !SEVERAL ->
		position = tail[ring];
		tail[ring]++ }
#if CAPACITY
	:: !ROOM(ring, tail[ring]) -> goto park /* blocked */
#endif
	:: DIES
	fi;
#ifdef MUTATE_NO_COMPILER_BARRIER /* the two words are looked at before the slot is stored */
	wake = sleepers[ring];
	often = fences_wanted[ring] != 0;
#endif
tbus_publish: /* R1 tbus_store_release_u64(slot, READY), or tbus_cas_u64(slot, CLAIMED -> READY) */
	if
#ifdef WEAK
	:: publisher_buffer[me] ! AT(ring, position)
#else
	:: !SEVERAL -> publisher_buffer[me] ! AT(ring, position)
	:: SEVERAL && PUBLISHER_DRAINED(me) -> ready[AT(ring, position)] = true
#endif
	:: DIES
	fi;
	left--;
	/* tbus_publisher_wake(): two loads, which a CPU may execute in either order */
	if
	:: goto load_sleepers
#ifdef WEAK
	:: goto load_fences_wanted_first
#endif
	fi;
#ifdef WEAK
load_fences_wanted_first:
	if
	:: atomic { FENCE_PUBLISHER(me) -> often = fences_wanted[ring] != 0; goto load_sleepers_last }
	:: DIES
	fi;
#endif
load_sleepers: /* tbus_load_relaxed_u32(&shared->sleepers) */
	if
	:: atomic {
		FENCE_PUBLISHER(me) ->
#ifndef MUTATE_NO_COMPILER_BARRIER
		wake = sleepers[ring];
#endif
		skip }
	:: DIES
	fi;
load_fences_wanted: /* tbus_load_relaxed_u32(&shared->fences_wanted) */
	if
	:: atomic { FENCE_PUBLISHER(me) ->
#ifndef MUTATE_NO_COMPILER_BARRIER
		often = fences_wanted[ring] != 0;
#endif
		goto looked }
	:: DIES
	fi;
#ifdef WEAK
load_sleepers_last:
	if
	:: atomic { FENCE_PUBLISHER(me) -> wake = sleepers[ring] }
	:: DIES
	fi;
#endif
looked:
	atomic {
	position = 0;
	if
	:: wake == 0 && !often -> goto next_message
	:: else -> often = false; wake = 0
	fi };
tbus_ring_look_again: /* tbus_fence_full(), tbus_load_relaxed_u32(&shared->sleepers) */
	if
	:: atomic {
#ifndef MUTATE_NO_FENCE
		PUBLISHER_DRAINED(me) ->
#endif
		wake = sleepers[ring];
		if
		:: wake == 0 -> goto next_message
		:: else
		fi }
	:: DIES
	fi;
tbus_ring_wake: /* tbus_fetch_and_u32(&sleepers, ~wake) */
	if
#ifdef MUTATE_CLEAR_LATE
	:: skip
#else
	:: atomic {
		PUBLISHER_DRAINED(me) ->
		wake = wake & sleepers[ring];
		sleepers[ring] = sleepers[ring] & ~wake }
#endif
	:: DIES
	fi;
ring_the_bells:
	if
	:: i == SUBSCRIBERS -> i = 0; goto all_rung
	:: i < SUBSCRIBERS && !(wake & (1 << i)) -> i++; goto ring_the_bells
	:: i < SUBSCRIBERS && (wake & (1 << i))
	fi;
ring_bell: /* tbus_fetch_add_relaxed_u32(bell, 1) */
	if
#ifdef MUTATE_NO_BELL /* woken, but the word is as before */
	:: skip
#else
	:: bell[PLACE(ring, i)]++
#endif
	:: DIES
	fi;
futex_wake: /* futex(2) FUTEX_WAKE */
	if
	:: atomic { asleep[i] = false; i++; goto ring_the_bells }
	:: DIES
	fi;
all_rung:
/* the bits are cleared after waking: one may be that of the next sleep already */
#ifdef MUTATE_CLEAR_LATE
	sleepers[ring] = sleepers[ring] & ~wake;
#endif
	wake = 0;
	goto next_message;

#if CAPACITY
park: /* tbus_waiter_park, for a publisher that was told FULL */
	if
	:: room_value = room_bell[ring]
	:: DIES
	fi;
STEP_1: /* tbus_fetch_or_u32(&pubs_waiting, 1) */
	if
	:: atomic { PUBLISHER_DRAINED(me) -> pubs_waiting[ring] = true }
	:: DIES
	fi;
STEP_2: /* membarrier(2) */
	membarrier();
STEP_3: /* room_again(): with several publishers there is no second look */
	if
	:: !SEVERAL && ROOM(ring, tail[ring]) -> goto awake
	:: SEVERAL || !ROOM(ring, tail[ring])
	:: DIES
	fi;
STEP_4: /* futex(2) FUTEX_WAIT: sleeps only if the bell has not been rung since */
	if
	:: atomic { room_bell[ring] == room_value -> publisher_asleep[me] = true }
	:: room_bell[ring] != room_value -> goto awake
	:: DIES
	fi;
end_sleeping:
	if
	:: !publisher_asleep[me]
	:: atomic { early < EARLY -> early++; publisher_asleep[me] = false }
	fi;
awake:
	atomic { room_value = 0; goto claim };
#endif

dies:
	atomic { PUBLISHER_DRAINED(me) -> left = 0; wake = 0; often = false; position = 0; i = 0 };
done:
	skip
}

proctype subscriber(byte me)
{
	byte value[RINGS];
	byte ring, consumed, awake;
	bool found;
	bool fence_wanted[RINGS]; /* of the handle */
	bool barrier;

look: /* tbus_peek on every ring; what is there is taken */
	if
	:: ring == RINGS -> ring = 0; goto W1_bell
	:: else
	fi;
tbus_peek:
	if
	:: atomic {
		position_of[PLACE(ring, me)] < PER_RING && ready[AT(ring, position_of[PLACE(ring, me)])] ->
		position_of[PLACE(ring, me)]++; consumed++ }
	:: atomic {
		position_of[PLACE(ring, me)] == PER_RING || !ready[AT(ring, position_of[PLACE(ring, me)])] ->
		ring++; goto look }
	fi;
#if CAPACITY
tbus_subscriber_flush: /* G3 tbus_store_release_u64(&sub->progress) */
	subscriber_buffer[me] ! PLACE(ring, me), position_of[PLACE(ring, me)];
wake_publishers: /* tbus_load_relaxed_u32(&pubs_waiting) */
	if
	:: FENCE_SUBSCRIBER(me) && !pubs_waiting[ring] -> goto taken
	:: FENCE_SUBSCRIBER(me) && pubs_waiting[ring]
	fi;
tbus_ring_wake_publishers: /* tbus_fetch_and_u32(&pubs_waiting, 0) */
	atomic {
	SUBSCRIBER_DRAINED(me) ->
	if
	:: !pubs_waiting[ring] -> goto taken
	:: else -> pubs_waiting[ring] = false
	fi };
ring_room_bell: /* tbus_fetch_add_relaxed_u32(&room_bell, 1) */
	room_bell[ring]++;
futex_wake_all: /* futex(2) FUTEX_WAKE, everybody */
	atomic {
	publisher_asleep[ring] = false;
#if PUBLISHERS > RINGS
	publisher_asleep[1] = false
#endif
	};
taken:
#endif
#if AWAKE
	if
	:: awake < AWAKE && fence_wanted[ring] -> goto tbus_waiter_stay_awake
	:: skip -> goto stayed
	fi;
tbus_waiter_stay_awake: /* tbus_fetch_and_u32(&fences_wanted, ~ our bit) */
	atomic {
	SUBSCRIBER_DRAINED(me) ->
	awake++;
	fences_wanted[ring] = fences_wanted[ring] & ~(1 << me);
#ifndef MUTATE_FORGETS_THAT_IT_CLEARED
	fence_wanted[ring] = false
#endif
	};
stayed:
#endif
	if
	:: consumed == RINGS * PER_RING -> goto done
	:: else -> ring = 0; goto look
	fi;

	/* tbus_waiter_park */
W1_bell:
#if !defined(MUTATE_FENCES_WANTED_LATE)
	if
	:: fence_wanted[ring]
	:: else -> goto want_fences
	fi;
	goto load_bell;
want_fences: /* tbus_fetch_or_u32(&fences_wanted, our bit) */
	atomic {
	SUBSCRIBER_DRAINED(me) ->
	fences_wanted[ring] = fences_wanted[ring] | (1 << me);
	fence_wanted[ring] = true;
	barrier = true };
#endif
load_bell: /* tbus_load_relaxed_u32(bell) */
#ifndef MUTATE_BELL_READ_LATE
	value[ring] = bell[PLACE(ring, me)];
#endif
STEP_1: /* tbus_fetch_or_u32(&sleepers, our bit) */
	atomic {
	SUBSCRIBER_DRAINED(me) ->
	sleepers[ring] = sleepers[ring] | (1 << me);
	ring++;
	if
	:: ring < RINGS -> goto W1_bell
	:: else -> ring = 0
	fi };
STEP_2: /* membarrier(2), if our bit in `fences_wanted` is new somewhere */
	if
	:: barrier
#ifdef MUTATE_FENCES_WANTED_LATE
	:: !fence_wanted[0]
#endif
	:: else -> goto STEP_3
	fi;
	membarrier();
	barrier = false;
#ifdef MUTATE_FENCES_WANTED_LATE /* the bit is set behind the membarrier */
	atomic {
	fence_wanted[0] = true; fences_wanted[0] = fences_wanted[0] | (1 << me);
#if RINGS > 1
	fence_wanted[1] = true; fences_wanted[1] = fences_wanted[1] | (1 << me);
#endif
	};
#endif
STEP_3: /* message_there(): every ring once more */
#ifndef MUTATE_NO_SECOND_LOOK
	atomic {
	found = position_of[PLACE(ring, me)] < PER_RING && ready[AT(ring, position_of[PLACE(ring, me)])];
	ring++;
	if
	:: !found && ring < RINGS -> goto STEP_3
	:: else -> ring = 0
	fi;
	if
	:: found -> found = false; goto STEP_5
	:: else
	fi };
#endif
#ifdef MUTATE_BELL_READ_LATE /* the bell is read after the last look */
	value[0] = bell[PLACE(0, me)];
#if RINGS > 1
	value[1] = bell[PLACE(1, me)];
#endif
#endif
STEP_4: /* futex_waitv(2): sleeps only if no bell has been rung since */
	if
#if RINGS > 1
	:: atomic { bell[PLACE(0, me)] == value[0] && bell[PLACE(1, me)] == value[1] -> asleep[me] = true }
	:: bell[PLACE(0, me)] != value[0] || bell[PLACE(1, me)] != value[1] -> goto STEP_5
#else
	:: atomic { bell[PLACE(0, me)] == value[0] -> asleep[me] = true }
	:: bell[PLACE(0, me)] != value[0] -> goto STEP_5
#endif
	fi;
end_sleeping:
	if
	:: !asleep[me]
	:: atomic { early < EARLY -> early++; asleep[me] = false }
	fi;
STEP_5: /* tbus_fetch_and_u32(&sleepers, ~ our bit) */
	atomic {
	sleepers[ring] = sleepers[ring] & ~(1 << me);
	ring++;
	if
	:: ring < RINGS -> goto STEP_5
	:: else -> ring = 0
	fi;
	value[0] = 0;
#if RINGS > 1
	value[1] = 0;
#endif
	goto look };
done:
	skip
}

/* Nobody can move any more: does anybody sleep past what it waits for? */
#define FOUND(s, ring) \
	(position_of[PLACE(ring, s)] < PER_RING && ready[AT(ring, position_of[PLACE(ring, s)])])
proctype judge()
{
	byte i, ring;
	bool stuck;

look_again:
	atomic {
	timeout ->
	i = 0;
	do
	:: i < SUBSCRIBERS ->
		ring = 0;
		do
		:: ring < RINGS -> stuck = stuck || (asleep[i] && FOUND(i, ring)); ring++
		:: else -> break
		od;
		i++
	:: else -> break
	od;
#if CAPACITY
	i = 0;
	do
	:: i < PUBLISHERS ->
		stuck = stuck || (publisher_asleep[i] && ROOM(RING_OF(i), tail[RING_OF(i)]));
		i++
	:: else -> break
	od;
#endif
	i = 0; ring = 0;
#ifdef TIMEOUT /* every sleep ends some time */
	if
	:: stuck ->
		stuck = false;
		asleep[0] = false;
#if SUBSCRIBERS > 1
		asleep[1] = false;
#endif
#if CAPACITY
		publisher_asleep[0] = false;
#if PUBLISHERS > 1
		publisher_asleep[1] = false;
#endif
#endif
		goto look_again
	:: else
	fi;
#endif
	assert(!stuck); /* a lost wake-up */
#if CRASHES == 0
	do
	:: i < RINGS * SUBSCRIBERS -> assert(position_of[i] == PER_RING); i++
	:: else -> break
	od
#endif
	}
}

init
{
	atomic {
	run publisher(0);
#if PUBLISHERS > 1
	run publisher(1);
#endif
	run subscriber(0);
#if SUBSCRIBERS > 1
	run subscriber(1);
#endif
	run judge()
	}
}
