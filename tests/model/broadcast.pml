/* SPDX-License-Identifier: Apache-2.0 */
/* broadcast.pml - a ring with one publisher (TBUS_BROADCAST, TBUS_SPSC): room in steps, each
 * announced before it is used; long messages, which lie in the area; a gating subscriber; an
 * observer that validates its copy; the publisher killed anywhere, and another one that goes on
 * where it stopped.
 *
 * Every Promela label is a step: at most one access to shared memory. It has the name of the C
 * function that makes the access (bus/ring/publisher.c, subscriber.c, observer.c,
 * bus/include/tickbus/publisher.h, subscriber.h) and the label of its memory order (bus/README.md).
 * Before each of its steps the publisher may be killed (DIES). A process that got FULL, or no
 * message, looks again when the word that it gave up on has changed. So a process that is stuck
 * shows as a state in which nobody can move.
 *
 * What must hold
 *    - no sequence is published twice, whoever was killed where, and none is left out
 *    - the subscriber receives every message once, in order, whole
 *    - the observer accepts no torn copy and nothing twice, and goes forward only: what it passes
 *      over it counts as lost
 *    - in the end, when nobody can move: all is published, received and observed or counted as
 *      lost, and there is room
 *    - no execution is infinite (pan -l without progress labels)
 *
 * Parameters: SLOTS, STEP (slot_count / 16), MESSAGES (over all publishers), LONG (1: any message
 * may be a long one; the area holds AREA of them, each in a part of its own), CRASHES, SUBSCRIBER
 * (0, 1), LATE (it joins while the publisher is at work), OBSERVER (0, 1). PAIR: the CPU stores a
 * slot's word and the first word of its payload at once (tbus_store_release_pair_u64); otherwise
 * one after the other. TSO: the publisher's stores go through a FIFO buffer of TSO entries; a pair
 * is one entry.
 */
#ifndef SLOTS
#define SLOTS 4
#endif
#ifndef STEP
#define STEP 1
#endif
#ifndef MESSAGES
#define MESSAGES 6
#endif
#ifndef LONG
#define LONG 0
#endif
#ifndef AREA
#define AREA 2
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef SUBSCRIBER
#define SUBSCRIBER 1
#endif
#ifndef OBSERVER
#define OBSERVER 1
#endif

#define FIRST 1 /* ring->first_seq */
#define SLOT_FREE 0
#define SLOT_READY 1
#define SLOT_LONG 2
#define SLOT_WORD(seq, state) (((seq) << 2) | (state))
#define SLOT_SEQ(word) ((word) >> 2)
#define SLOT_STATE(word) ((word) & 3)

/* --- shared memory; the publisher alone writes here. Two payload words a slot: a torn or
 * overwritten copy shows. --- */
#define SLOT_AT(position) (((position) + SLOTS) % SLOTS) /* a position may be below 0: the wrap */
#define PAYLOAD_AT(position, half) (SLOTS + 2 * SLOT_AT(position) + (half))
#define TAIL_VERSION (3 * SLOTS)
#define TAIL (3 * SLOTS + 1)
#define TAIL_SEQ (3 * SLOTS + 2)
#define ANNOUNCE (3 * SLOTS + 3)
#if LONG
#define AREA_ANNOUNCE (3 * SLOTS + 4)
#define AREA_AT(offset, half) (3 * SLOTS + 5 + 2 * ((offset) % AREA) + (half))
byte memory[3 * SLOTS + 5 + 2 * AREA];
#else
byte memory[3 * SLOTS + 4];
#endif
byte progress = FIRST; /* the subscriber writes here */
bool vacant;           /* its place: nobody waits for it */

/* --- what really happened --- */
byte crashes;                     /* also: which publisher this is */
bool gone;                        /* the publisher is dead, and no other has come yet */
bool finished;                    /* all is published */
byte written[FIRST + MESSAGES];   /* by sequence: what its payload is, 0 until it is published */
bool is_long[FIRST + MESSAGES];
short received, observed;
byte first_received = FIRST; /* where a late subscriber began */
byte observer_seq;
bool guessed; /* the observer went to a tail whose two halves may not belong together */

#define BIT(seq) (1 << (seq))
/* two publishers write different things, under one sequence as well */
#define VALUE(seq) (((seq) << 2) | (crashes + 1))

#define DIES atomic { crashes < CRASHES -> crashes++; goto dies }

#ifdef TSO
chan buffer = [TSO] of { byte, byte, byte };
#define STORE(at, value) buffer ! at, value, 0
#define STORE_PAIR(position, word, first) buffer ! SLOT_AT(position), word, first
#define DRAINED empty(buffer)

active proctype store_buffer()
{
	byte at, value, first;
end_quiet:
	do
	:: atomic {
		buffer ? at, value, first ->
		memory[at] = value;
		if
		:: first -> memory[PAYLOAD_AT(at, 0)] = first
		:: else
		fi;
		at = 0; value = 0; first = 0 }
	od
}
#else
#define STORE(at, value) memory[at] = value
#define STORE_PAIR(position, word, first) \
	memory[PAYLOAD_AT(position, 0)] = first; memory[SLOT_AT(position)] = word
#define DRAINED true
#endif

/* gate_end(): one subscriber, one look. */
#if SUBSCRIBER && !defined(MUTATE_IGNORE_GATE)
#define GATE_END(position) ((!vacant && progress < (position) -> progress : (position)) + SLOTS)
#else
#define GATE_END(position) ((position) + SLOTS)
#endif

/* How far tbus_publisher_refresh() would like to go; and its look at the gate. */
#define WANT (position + STEP)
#define LOOK_AT_GATE \
	if \
	:: gate < WANT -> gate = GATE_END(position) \
	:: else \
	fi

/* --- bus/ring/publisher.c, and tbus_publish_try of publisher.h --- */
proctype publisher()
{
	byte position, seq, room_end, gate;
	byte tail, version, announce; /* what is in memory of these: nobody else writes them */
	byte i, newest;
	bool blocked;
#if LONG
	bool long_one, looking;
	byte head, need, area_announce; /* tbus_area_t */
	byte passed[AREA];
#endif

tbus_publisher_join: /* find_end(): one step, since nothing moves while no publisher is there */
	atomic {
	tail = memory[TAIL];
	position = tail;
	seq = memory[TAIL_SEQ];
	announce = memory[ANNOUNCE];
#ifndef MUTATE_JOIN_AT_TAIL /* the flushed tail is believed */
	newest = seq - 1;
	i = tail - SLOTS / 2;
	do
	:: i != tail - SLOTS / 2 + SLOTS ->
		if
		:: (SLOT_STATE(memory[SLOT_AT(i)]) == SLOT_READY ||
		    SLOT_STATE(memory[SLOT_AT(i)]) == SLOT_LONG) &&
		   SLOT_SEQ(memory[SLOT_AT(i)]) >= newest ->
			newest = SLOT_SEQ(memory[SLOT_AT(i)]);
			position = i + 1;
			seq = newest + 1
		:: else
		fi;
		i++
	:: else -> break
	od;
#endif
	newest = 0; i = 0;
	room_end = position; gate = position;
#if LONG /* tbus_area_begin(): all parts are in use by what was published so far */
	area_announce = memory[AREA_ANNOUNCE];
	head = area_announce;
	do
	:: i < AREA ->
#ifdef MUTATE_SUCCESSOR_TAKES_AREA
		passed[i] = FIRST;
#else
		passed[i] = position;
#endif
		i++
	:: else -> break
	od;
	i = 0;
#endif
	version = memory[TAIL_VERSION] | 1
	};
join_store_tail_version: /* store_tail() */
	if
	:: STORE(TAIL_VERSION, version)
	:: DIES
	fi;
join_store_tail:
	if
	:: STORE(TAIL, position)
	:: DIES
	fi;
join_store_tail_seq:
	if
	:: STORE(TAIL_SEQ, seq)
	:: DIES
	fi;
join_store_tail_version_even:
	if
	:: atomic { STORE(TAIL_VERSION, version + 1); version++; tail = position }
	:: DIES
	fi;

next_message:
	atomic {
	if
	:: seq == FIRST + MESSAGES -> goto tbus_publisher_flush
	:: else
	fi;
#if LONG
	if
	:: long_one = false
	:: long_one = true
	fi;
#endif
	if
	:: room_end > position -> goto write
	:: else
	fi };
	/* tbus_publisher_refresh(): the tail first, then the gate, and that only when what it was known to
	 * leave is used up */
#ifdef MUTATE_GATE_BEFORE_TAIL
	LOOK_AT_GATE;
#endif
tbus_publisher_flush: /* publish_tail() */
	if
	:: tail == position -> goto tail_published
	:: tail != position -> version++
	fi;
store_tail_version: /* T1, T3 */
	if
	:: STORE(TAIL_VERSION, version)
	:: DIES
	fi;
store_tail:
	if
	:: STORE(TAIL, position)
	:: DIES
	fi;
store_tail_seq:
	if
	:: STORE(TAIL_SEQ, seq)
	:: DIES
	fi;
store_tail_version_even:
	if
	:: atomic { STORE(TAIL_VERSION, version + 1); version++; tail = position }
	:: DIES
	fi;
tail_published:
	if
	:: seq == FIRST + MESSAGES -> goto done
#if LONG
	:: seq != FIRST + MESSAGES && looking -> goto look_at_gate_for_area
#endif
	:: else
	fi;
tbus_publisher_refresh: /* G4 tbus_load_acquire_u64(&sub->progress) */
	if
	:: atomic {
#ifndef MUTATE_GATE_BEFORE_TAIL
		LOOK_AT_GATE;
#endif
		room_end = (gate > WANT -> WANT : gate);
		blocked = room_end < position + 1 }
	:: DIES
	fi;
	if
	:: blocked -> goto full_gate
	:: else
	fi;
store_announce: /* N1 tbus_store_relaxed_u64(&s->announce), never back */
#ifndef MUTATE_ANNOUNCE_LATE
	if
	:: room_end <= announce
	:: atomic { room_end > announce -> STORE(ANNOUNCE, room_end); announce = room_end }
	:: DIES
	fi;
#endif
write:
#if LONG
	if
	:: long_one -> goto publish_long
	:: else
	fi;
#endif

#ifdef MUTATE_PAIR_FIRST /* the pair before the rest of the payload */
	STORE_PAIR(position, SLOT_WORD(seq, SLOT_READY), VALUE(seq));
#endif
tbus_publish_plain_words_store:
	if
	:: STORE(PAYLOAD_AT(position, 1), VALUE(seq))
	:: DIES
	fi;
#ifdef MUTATE_ANNOUNCE_LATE /* the step is announced when its first slot is written already */
	if
	:: room_end <= announce
	:: atomic { room_end > announce -> STORE(ANNOUNCE, room_end); announce = room_end }
	fi;
#endif
#ifdef MUTATE_PAIR_TORN /* the CPU stores the halves of a pair one by one, and the word first */
	STORE(SLOT_AT(position), SLOT_WORD(seq, SLOT_READY));
#endif
#if !defined(PAIR) || defined(MUTATE_PAIR_TORN)
tbus_store_release_pair_second: /* tbus_store_relaxed_u64(to + 1, second) */
	if
	:: STORE(PAYLOAD_AT(position, 0), VALUE(seq))
	:: DIES
	fi;
#endif
tbus_publish_plain: /* R1 tbus_store_release_pair_u64(slot, READY, first word of the payload) */
	if
	:: atomic {
#if defined(MUTATE_PAIR_FIRST) || defined(MUTATE_PAIR_TORN)
#elif defined(PAIR)
		STORE_PAIR(position, SLOT_WORD(seq, SLOT_READY), VALUE(seq));
#else
		STORE(SLOT_AT(position), SLOT_WORD(seq, SLOT_READY));
#endif
		assert(!written[seq]);
		written[seq] = VALUE(seq);
		position++; seq++; goto next_message }
	:: DIES
	fi;

#if LONG
publish_long: /* claim_one(): tbus_area_next(), all_have_passed() */
	atomic {
	need = passed[head % AREA];
	if
#ifdef MUTATE_AREA_UNGATED
	:: true -> goto tbus_area_announce
#else
	:: gate >= need + SLOTS -> goto tbus_area_announce
	:: else -> looking = true; goto tbus_publisher_flush
#endif
	fi };
look_at_gate_for_area: /* G4 */
	if
	:: atomic { looking = false; gate = GATE_END(position); blocked = gate < need + SLOTS }
	:: DIES
	fi;
	if
	:: blocked -> goto full_area
	:: else
	fi;
tbus_area_announce: /* N1 tbus_store_relaxed_u64(&shared->area_announce) */
#ifndef MUTATE_AREA_ANNOUNCE_LATE
	if
	:: atomic { STORE(AREA_ANNOUNCE, head + 1); area_announce = head + 1 }
	:: DIES
	fi;
#endif
#ifdef MUTATE_LONG_FIRST
	atomic { STORE(SLOT_AT(position), SLOT_WORD(seq, SLOT_LONG)); assert(!written[seq]);
		written[seq] = VALUE(seq); is_long[seq] = true };
#endif
tbus_long_store_0:
	if
	:: STORE(AREA_AT(head, 0), VALUE(seq))
	:: DIES
	fi;
tbus_long_store_1:
	if
	:: STORE(AREA_AT(head, 1), VALUE(seq))
	:: DIES
	fi;
#ifdef MUTATE_AREA_ANNOUNCE_LATE
	STORE(AREA_ANNOUNCE, head + 1);
#endif
store_offset: /* tbus_store_relaxed_u64(slot + 2): where it lies */
	if
	:: STORE(PAYLOAD_AT(position, 1), head)
	:: DIES
	fi;
#ifndef PAIR
store_length: /* tbus_store_relaxed_u64(to + 1, second) */
	if
	:: STORE(PAYLOAD_AT(position, 0), VALUE(seq))
	:: DIES
	fi;
#endif
commit_one: /* R1 tbus_store_release_pair_u64(slot, LENGTH_LONG, its length) */
	if
	:: atomic {
#ifndef MUTATE_LONG_FIRST
#ifdef PAIR
		STORE_PAIR(position, SLOT_WORD(seq, SLOT_LONG), VALUE(seq));
#else
		STORE(SLOT_AT(position), SLOT_WORD(seq, SLOT_LONG));
#endif
		assert(!written[seq]);
		written[seq] = VALUE(seq); is_long[seq] = true;
#endif
		passed[head % AREA] = position + 1; head++; need = 0;
		position++; seq++; goto next_message }
	:: DIES
	fi;
full_area: /* TBUS_FULL */
	atomic { GATE_END(position) >= need + SLOTS -> blocked = false; need = 0;
		goto next_message }
#endif

full_gate: /* TBUS_FULL */
	atomic { GATE_END(position) > position -> blocked = false;
		room_end = position; goto next_message }

dies: /* Death is proven after everything that was stored is in memory; another publisher joins. */
	atomic {
	DRAINED ->
	position = 0; seq = 0; room_end = 0; gate = 0; tail = 0; version = 0;
	announce = 0; blocked = false;
#if LONG
	long_one = false; looking = false; head = 0; need = 0;
#endif
	gone = true };
	atomic { gone = false; goto tbus_publisher_join }
done:
	finished = true
}

#if SUBSCRIBER
/* --- bus/include/tickbus/subscriber.h, bus/ring/subscriber.c --- */
proctype subscriber()
{
	byte position = FIRST, seq = FIRST, word;
#if LONG
	byte offset;
#endif

#ifdef LATE /* bus/ring/place.c, open_gate(): the end of the ring, twice */
	byte version;
	bool seen;

tbus_ring_end: /* T4 tbus_load_acquire_u64(&s->tail_version), T2 tail, tail_seq, tail_version */
	version = memory[TAIL_VERSION];
tbus_ring_end_tail:
	position = memory[TAIL];
tbus_ring_end_tail_seq:
	seq = memory[TAIL_SEQ];
end_tbus_ring_end_again: /* -EAGAIN as long as a dead publisher has no successor */
	if
	:: memory[TAIL_VERSION] == version && !(version & 1)
	:: memory[TAIL_VERSION] != version -> goto tbus_ring_end
	fi;
set_start: /* tbus_store_relaxed_u64(&place->progress) */
	progress = position;
	if
	:: seen -> goto joined
	:: else
	fi;
tbus_place_cas: /* from now on, a publisher that looks at the gate sees us */
	atomic { vacant = false; seen = true };
#ifdef MUTATE_JOIN_ONE_LOOK
	goto joined;
#endif
membarrier: /* membarrier(2) */
	DRAINED;
	goto tbus_ring_end;
joined:
	atomic { version = 0; seen = false; first_received = seq };
#endif
tbus_peek: /* R2 tbus_load_acquire_u64(slot) */
	atomic {
	word = memory[SLOT_AT(position)];
	if
	:: SLOT_SEQ(word) == seq && (SLOT_STATE(word) == SLOT_READY || SLOT_STATE(word) == SLOT_LONG)
	:: else ->
		/* Publishers wait for us: nothing newer can be here, nor the middle of a message (peek_slow says
		 * corrupt). */
		assert(SLOT_SEQ(word) < seq);
		goto tbus_subscriber_flush_idle
	fi;
	assert(written[seq] && is_long[seq] == (SLOT_STATE(word) == SLOT_LONG))
	};
#ifdef MUTATE_PROGRESS_EARLY /* progress before the payload was read */
	progress = position + 1;
#endif
message_0: /* the caller reads in place; of a long message this is its length */
	assert(memory[PAYLOAD_AT(position, 0)] == written[seq]);
#if LONG
	if
	:: is_long[seq] -> goto tbus_long_message
	:: else
	fi;
#endif
message_1:
	assert(memory[PAYLOAD_AT(position, 1)] == written[seq]);
#if LONG
	goto tbus_subscriber_flush;
tbus_long_message:
	offset = memory[PAYLOAD_AT(position, 1)];
long_message_0: /* in place as well */
	assert(memory[AREA_AT(offset, 0)] == written[seq]);
long_message_1:
	atomic { assert(memory[AREA_AT(offset, 1)] == written[seq]); offset = 0 };
#endif
tbus_subscriber_flush: /* G3 tbus_store_release_u64(&sub->progress) */
	atomic {
	assert(!(received & BIT(seq)));
	received = received | BIT(seq);
	position++;
	seq++; word = 0;
	progress = position;
	goto tbus_peek };
tbus_subscriber_flush_idle:
	progress = position;
end_tbus_peek_null:
	atomic { memory[SLOT_AT(position)] != word -> word = 0; goto tbus_peek }
}
#endif

#if OBSERVER
/* --- bus/ring/observer.c --- */
proctype observer()
{
	short position = FIRST;
	byte seq = FIRST, word, expected, copy, tail, tail_seq, version;
	bool torn, join, given_up;
#if LONG
	byte offset;
#endif

	/* tbus_observer_join: from the first message on as long as nothing of it is overwritten, from the
	 * oldest that is safe (resynchronise), or from now on. When it joins is when it first moves. */
tbus_observer_join:
	if
	:: memory[TAIL] - FIRST <= SLOTS - 2 * STEP
	:: memory[TAIL] - FIRST > SLOTS - 2 * STEP -> goto safe_from
	:: join = true; goto tbus_ring_end
	fi;

tbus_observe: /* R2 tbus_load_acquire_u64(slot) */
	atomic {
	word = memory[SLOT_AT(position)];
	if
	:: SLOT_SEQ(word) > seq -> goto lapped
	:: SLOT_SEQ(word) == seq && (SLOT_STATE(word) == SLOT_READY || SLOT_STATE(word) == SLOT_LONG)
	:: else -> goto end_tbus_observe_none
	fi };
	/* What is copied is compared at once, and judged at the end. */
words_load_0:
	atomic { copy = memory[PAYLOAD_AT(position, 0)]; torn = copy != written[seq]; copy = 0 };
#if LONG
	if
	:: SLOT_STATE(word) == SLOT_LONG -> goto tbus_long_message
	:: else
	fi;
#endif
words_load_1:
	atomic { copy = memory[PAYLOAD_AT(position, 1)]; torn = torn || copy != written[seq]; copy = 0 };
#if LONG
	goto observe_safe_from;
tbus_long_message:
	offset = memory[PAYLOAD_AT(position, 1)];
tbus_long_load_0:
	atomic { copy = memory[AREA_AT(offset, 0)]; torn = torn || copy != written[seq]; copy = 0 };
tbus_long_load_1:
	atomic { copy = memory[AREA_AT(offset, 1)]; torn = torn || copy != written[seq]; copy = 0 };
#endif
observe_safe_from: /* N2 tbus_load_acquire_u64(&s->announce) */
	atomic {
	if
#ifdef MUTATE_NO_SECOND_LOOK /* the copy is believed as it is */
	:: true
#else
	:: position >= memory[ANNOUNCE] - SLOTS
#endif
#if LONG
		-> if
		:: SLOT_STATE(word) == SLOT_LONG -> goto area_lapped
		:: else
		fi
#endif
	:: else -> torn = false; goto lapped
	fi;
	goto accept };
#if LONG
area_lapped: /* N2 tbus_load_relaxed_u64(&s->area_announce) */
	atomic {
	if
#ifdef MUTATE_AREA_NO_SECOND_LOOK
	:: true
#else
	:: offset >= memory[AREA_ANNOUNCE] - AREA
	:: else -> /* this one is lost */
		position++; seq++; observer_seq = seq; word = 0; torn = false; offset = 0;
		goto tbus_observe
#endif
	fi;
	goto accept };
#endif
accept:
	atomic {
	assert(!torn && written[seq] && is_long[seq] == (SLOT_STATE(word) == SLOT_LONG));
	assert(!(observed & BIT(seq)));
	observed = observed | BIT(seq);
	position++;
	seq++; observer_seq = seq; word = 0; torn = false;
#if LONG
	offset = 0;
#endif
	goto tbus_observe };

lapped:
	atomic { expected = seq; seq = 0; word = 0 };
safe_from: /* tbus_load_acquire_u64(&s->announce); a step beyond it */
	position = memory[ANNOUNCE] - SLOTS + STEP;
tbus_ring_end: /* T4 tbus_load_acquire_u64(&s->tail_version) */
	atomic { given_up = false; version = memory[TAIL_VERSION] };
tbus_ring_end_tail:
	tail = memory[TAIL];
tbus_ring_end_tail_seq:
	tail_seq = memory[TAIL_SEQ];
/* given up after 1000 turns: that happens when the publisher was killed in between */
tbus_ring_end_again:
	if
#ifdef MUTATE_NO_TAIL_VERSION
	:: true
#else
	:: memory[TAIL_VERSION] == version && !(version & 1)
	:: memory[TAIL_VERSION] != version -> goto tbus_ring_end
	:: gone && memory[TAIL_VERSION] == version && (version & 1) -> given_up = true
#endif
	fi;
	if
	:: join -> goto at_tail
	:: else
	fi;
resynchronise: /* tbus_load_acquire_u64(slot), one after the other up to the tail */
	atomic {
	if
	:: position < tail ->
		word = memory[SLOT_AT(position)];
		if
		:: (SLOT_STATE(word) == SLOT_READY || SLOT_STATE(word) == SLOT_LONG) &&
		   SLOT_SEQ(word) < tail_seq && SLOT_SEQ(word) >= tail_seq - SLOTS ->
			seq = SLOT_SEQ(word); word = 0
		:: else -> word = 0; position++; goto resynchronise
		fi
	:: else -> goto at_tail
	fi };
/* the slot may hold a message of the next lap: right sequence, wrong position */
#ifndef MUTATE_RESYNC_UNCHECKED
resynchronise_safe_from: /* tbus_load_acquire_u64(&s->announce) */
	atomic {
	if
	:: position >= memory[ANNOUNCE] - SLOTS
	:: else -> seq = 0; position = memory[ANNOUNCE] - SLOTS + STEP; goto tbus_ring_end
	fi };
#endif
	goto resynchronised;
at_tail:
	atomic { position = tail; seq = tail_seq; guessed = given_up };
resynchronised:
	/* What lies between is lost, and counted. It must be gone, then, and nothing may come twice. */
	atomic {
	assert(seq > expected || guessed);
	expected = 0; tail = 0; tail_seq = 0; version = 0; join = false; given_up = false;
	observer_seq = seq;
	goto tbus_observe };
end_tbus_observe_none:
	atomic { memory[SLOT_AT(position)] != word -> word = 0; goto tbus_observe }
}
#endif

proctype judge()
{
	byte i;

	atomic {
	timeout ->
	assert(finished);
	i = FIRST;
	do
	:: i < FIRST + MESSAGES ->
		assert(written[i]);
#if SUBSCRIBER
		assert(vacant || i < first_received || (received & BIT(i)));
#endif
		i++
	:: else -> break
	od;
	assert(memory[TAIL_SEQ] == FIRST + MESSAGES);
#if SUBSCRIBER
	assert(vacant || progress == memory[TAIL]);
#endif
#if OBSERVER
	/* After a guess its sequence is behind, until the next message shows it (and is counted as that
	 * many lost). */
	assert(observer_seq == FIRST + MESSAGES || guessed)
#endif
	}
}

/* tbus_ring_format() */
init
{
	atomic {
	memory[TAIL] = FIRST;
	memory[TAIL_SEQ] = FIRST;
	memory[ANNOUNCE] = FIRST;
#ifdef LATE
	vacant = true;
#endif
	run publisher();
#if SUBSCRIBER
	run subscriber();
#endif
#if OBSERVER
	run observer();
#endif
	run judge()
	}
}
