/* SPDX-License-Identifier: Apache-2.0 */
/* several.pml - what rings with several publishers have in common: the publisher, the subscriber,
 * the observer, the repairer. Included by slot.pml (TBUS_MPMC) and broadcast_mp.pml
 * (TBUS_BROADCAST_MP), which say what must hold.
 *
 * Every Promela label is a step: at most one access to shared memory. It has the name of the C
 * function that makes the access, and the access as the code spells it beside it
 * (bus/ring/publisher.c, subscriber.c, observer.c, ring.c), with the label of its memory order
 * (bus/README.md). Between two steps any other process may run, and before each step the process
 * may be killed (DIES). Labels that begin with end_ are where a process may stand when all is done.
 *
 * Left out, because no step depends on them: the counters, the turn limits of loops, waking
 * (sleep.pml), and the tail, which only makes 64 bits of the 45 of a position. One thing is
 * simplified, which no other process can notice: a process that got FULL or NULL looks again when
 * the word that it gave up on has changed, not in between. So a process that is stuck shows as a
 * state in which nobody can move.
 *
 * Parameters
 *    SLOTS, PUBLISHERS (1..3), MESSAGES (of publisher 1), MESSAGES_2, MESSAGES_3 (of the others),
 *    SUBSCRIBERS (0..2; on a competing ring: followers), LATE (subscribers join while publishers
 *    are at work), EVICT (the topic's policy is TBUS_EVICT_SLOWEST), OBSERVERS (0, 1), CRASHES (of
 *    participants), REPAIRERS (1, 2), REPAIR_CRASHES; REUSE: a killed publisher's number is taken
 *    by a new process; HEAL (2, 3 slots): only owners whose number is found in the ring are
 *    repaired after; ABORT: publisher 1 may abort its claim; BATCH: publisher 1 claims two slots at
 *    a time. With 2 slots position and position - 2 are the same slot, which could be claimed when
 *    a process came to settle it: claimers and takers settle nothing there, only repairers do. With
 *    3 slots there is no such exception: position - 2 must be settled before position + 1, the next
 *    one in that slot, can be claimed.
 * Memory
 *    sequentially consistent by default. TSO: plain stores go through a FIFO buffer per process,
 *    and a CAS waits until it is empty. WEAK: through a buffer per process and address, so that
 *    they become visible in any order, and only a release waits.
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef PUBLISHERS
#define PUBLISHERS 2
#endif
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef MESSAGES_2
#define MESSAGES_2 MESSAGES
#endif
#ifndef MESSAGES_3
#define MESSAGES_3 1
#endif
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 0
#endif
#ifndef OBSERVERS
#define OBSERVERS 0
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef REPAIRERS
#define REPAIRERS 1
#endif
#ifndef REPAIR_CRASHES
#define REPAIR_CRASHES 1
#endif

/* The slot word of slot.h. Of `length` only the one value counts that says: no message. */
#define FREE 0
#define CLAIMED 1
#define READY 2
#define TAKEN 3
#define TOMB 4
#define SLOT_WORD(seq, owner, tomb, state) (((seq) << 7) | ((owner) << 4) | ((tomb) << 3) | (state))
#define SLOT_STATE(word) ((word) & 7)
#define LENGTH_TOMB(word) (((word) >> 3) & 1)
#define SLOT_OWNER(word) (((word) >> 4) & 7)
#define SLOT_SEQ(word) ((word) >> 7)
#define SLOT(position) slot[(position) % SLOTS]

/* The words of claims and takes: the next position, who has the one before it, and who the one
 * before that. */
#define NEXT_WORD(position, last, before) (((position) << 6) | ((last) << 3) | (before))
#define NEXT_POSITION(word) ((word) >> 6)
#define NEXT_LAST(word) (((word) >> 3) & 7)
#define NEXT_BEFORE(word) ((word) & 7)

/* Participant numbers. 0 is nobody. */
#define FIRST_CONSUMER (PUBLISHERS + 1)
#define FIRST_SUBSCRIBER (PUBLISHERS + CONSUMERS + 1)
#define SPARE (PUBLISHERS + CONSUMERS + SUBSCRIBERS + 1)
#define OWNERS (PUBLISHERS + CONSUMERS + SUBSCRIBERS + 2)

/* --- shared memory --- */
short slot[SLOTS];
byte payload[2 * SLOTS]; /* two words a slot: a torn or overwritten copy shows */
short claims;
#if COMPETING
short takes;
#endif
#if SUBSCRIBERS > 0
byte progress[SUBSCRIBERS];
bool vacant[SUBSCRIBERS]; /* the place's state is VACANT: nobody waits for it */
#ifdef LATE
byte start[SUBSCRIBERS];  /* where a late comer began */
#define START(i) start[i]
#else
#define START(i) 0
#endif
#endif

/* --- the kernel's part: who is proven dead, who holds which life lock --- */
bool dead[OWNERS];
bool mended[OWNERS]; /* some repairer came to its end for this owner */
byte crashes;
byte repair_crashes;
#ifdef REUSE
byte buriers[OWNERS]; /* locks for reading on a dead one's number: somebody repairs what it left */
#endif

/* --- what really happened, for the properties; bit i stands for sequence i --- */
short committed;
short in_doubt;
bit published[PUBLISHERS + 1]; /* publisher i has done all that it had to do, or is dead */
/* the judge is at work: nobody wakes up for what it does to the ring */
bool over;
#if SUBSCRIBERS > 0
short received[SUBSCRIBERS];
#endif
#if OBSERVERS > 0
short observed;
byte observer_seq; /* o->seq */
#endif

#define BIT(position) (1 << (position))
#define VALUE(position) ((position) + 1)

#define DIES atomic { crashes < CRASHES -> crashes++; goto dies }

/* --- store buffers --- */
#if defined(TSO)
chan buffer[PUBLISHERS + 1] = [2] of { byte, byte };
#define STORE(me, half, at, value) buffer[me] ! at, value
#define DRAINED(me) empty(buffer[me])
#define BECOMES_VISIBLE(i) \
	atomic { buffer[i] ? at, value -> payload[at] = value; at = 0; value = 0 }
#elif defined(WEAK)
chan buffer[2 * PUBLISHERS + 2] = [1] of { byte, byte };
#define STORE(me, half, at, value) buffer[2 * (me) + (half)] ! at, value
#define DRAINED(me) (empty(buffer[2 * (me)]) && empty(buffer[2 * (me) + 1]))
#define BECOMES_VISIBLE(i) \
	atomic { buffer[i] ? at, value -> payload[at] = value; at = 0; value = 0 }
#else
#define STORE(me, half, at, value) payload[at] = value
#define DRAINED(me) true
#endif

#if defined(TSO) || defined(WEAK)
active proctype store_buffers()
{
	byte at, value;
end_quiet:
	do
#if defined(TSO)
	:: BECOMES_VISIBLE(1)
#if PUBLISHERS > 1
	:: BECOMES_VISIBLE(2)
#endif
#if PUBLISHERS > 2
	:: BECOMES_VISIBLE(3)
#endif
#else
	:: BECOMES_VISIBLE(2)
	:: BECOMES_VISIBLE(3)
#if PUBLISHERS > 1
	:: BECOMES_VISIBLE(4)
	:: BECOMES_VISIBLE(5)
#endif
#if PUBLISHERS > 2
	:: BECOMES_VISIBLE(6)
	:: BECOMES_VISIBLE(7)
#endif
#endif
	od
}
#endif

/* The commit CAS is a release: the payload is visible before it. */
#ifdef MUTATE_RELAXED_COMMIT
#define RELEASED(me) true
#else
#define RELEASED(me) DRAINED(me)
#endif

/* Where a number may be taken again, repairers hold a lock for reading on it: a successor has to
 * wait (bus/run/participant.c; MUTATE_REPAIR_UNLOCKED: they do not). */
#if defined(REUSE) && !defined(MUTATE_REPAIR_UNLOCKED)
#define BURY(owner) buriers[owner]++
#define BURIED(owner) buriers[owner]--
#define NOT_BURIED_NOW(owner) buriers[owner] == 0
#else
#define BURY(owner) skip
#define BURIED(owner) skip
#define NOT_BURIED_NOW(owner) true
#endif

/* --- bus/ring/publisher.c --- */

/* What gate_end() would say now. */
#define BEHIND(i, position) (!vacant[i] && progress[i] < (position))
#if SUBSCRIBERS == 0 || defined(MUTATE_IGNORE_GATE)
#define GATE_OPEN(position) true
#elif SUBSCRIBERS == 1
#define GATE_OPEN(position) (vacant[0] || progress[0] + SLOTS > (position))
#else
#define GATE_OPEN(position) \
	((vacant[0] || progress[0] + SLOTS > (position)) && \
	 (vacant[1] || progress[1] + SLOTS > (position)))
#endif

/* claimable(): a competing ring's slot once a consumer has freed it; a broadcast's once the gate
 * has passed it. */
#define CLAIMABLE_FREE(word, position) (SLOT_STATE(word) == FREE && SLOT_SEQ(word) == (position))
#if COMPETING
#define CLAIMABLE(word, position) CLAIMABLE_FREE(word, position)
#elif defined(MUTATE_CLAIM_OVER_CLAIMED) /* the claim of a lap ago counts as done */
#define CLAIMABLE(word, position) \
	(CLAIMABLE_FREE(word, position) || \
	 (SLOT_STATE(word) != FREE && SLOT_SEQ(word) + SLOTS == (position)))
#else
#define CLAIMABLE(word, position) \
	(CLAIMABLE_FREE(word, position) || \
	 ((SLOT_STATE(word) == READY || SLOT_STATE(word) == TOMB) && SLOT_SEQ(word) + SLOTS == (position)))
#endif

/* evict_slowest() looks for whoever is furthest behind, among those that a whole ring is not enough
 * for. */
#ifdef MUTATE_EVICT_ANYBODY
#define HOLDS_US_UP(newest, progress) true
#else
#define HOLDS_US_UP(newest, progress) ((newest) - (progress) >= SLOTS)
#endif

/* settle(): a claim that is still under way gets its claimer's name into its slot. By whoever
 * claims two positions on, or by a repairer. What was seen is kept, for the CAS. */
#define NOTHING (-1) /* to settle */
#define UNDER_WAY(word, position) (CLAIMABLE(word, position) -> word : NOTHING)
inline settle(at, found, name)
{
	if
	:: SLOT(at) == found -> SLOT(at) = SLOT_WORD(at, name, 0, CLAIMED)
	:: else /* its claimer was faster, or somebody who settled it as well */
	fi;
	found = 0
}
#ifdef MUTATE_SETTLE_WRONG_ONE /* position - 1 under the name of whoever has position - 2 */
#define SETTLED(position) ((position) - 1)
#else
#define SETTLED(position) ((position) - 2)
#endif
/* Nobody needs to settle what nobody claimed, nor what this handle itself has done with: it claims
 * one at a time, and in a batch it settles as it goes. */
#ifdef MUTATE_NO_SETTLE
#define MUST_SETTLE(owner, me) false
#else
#define MUST_SETTLE(owner, me) ((owner) != 0 && (owner) != (me))
#endif

#ifdef ABORT
#define COMMIT_STATE(commits) (commits -> SLOT_WORD(0, 0, 0, READY) : SLOT_WORD(0, 0, 1, TOMB))
#else
#define COMMIT_STATE(commits) SLOT_WORD(0, 0, 0, READY)
#endif
#ifdef MUTATE_READY_FIRST
#define AFTER_COMMIT tbus_words_store_0
#else
#define AFTER_COMMIT one_published
#endif
inline committing(position, commits)
{
	SLOT(position) = SLOT_WORD(position, 0, 0, 0) | COMMIT_STATE(commits);
	assert(!(committed & BIT(position)));
	committed = committed | (commits -> BIT(position) : 0)
}

proctype publisher(byte me; byte messages)
{
	byte position; /* what claims said; and then ours, until the commit */
	short seen;    /* of claims */
	/* what the slot held before our claim, and holds until the commit, unless somebody settles it */
	short word;
	short other;   /* what was seen of a claim that is to be settled */
#ifdef ABORT
	bool abort;
#define COMMITS !abort
#else
#define COMMITS true
#endif
#ifdef BATCH
	/* of a batch: what is committed after the one that was claimed last; 0: none, 1: claimed, 2: on
	 * its way */
	byte first, first_state;
/* It was settled, and so its slot holds nothing that was there before the claim. */
#define REST_OF_BATCH position = first; first = 0; first_state = 2; word = -1; \
	goto tbus_words_store_0
#endif
#if SUBSCRIBERS > 0 && !defined(MUTATE_IGNORE_GATE)
	byte room_end, slowest, i;
#endif
#ifdef EVICT
	byte newest, evicted;
#endif

next_message:
	if
	:: messages == 0 -> goto done
	:: else
	fi;
claim_load_claims: /* tbus_load_acquire_u64(&ring->shared->claims) */
	if
	:: atomic { seen = claims; position = NEXT_POSITION(seen) }
	:: DIES
	fi;
#if SUBSCRIBERS > 0 && !defined(MUTATE_IGNORE_GATE)
	/* room_end is our own: the gate is looked at only where it ends */
	if
	:: room_end > position -> goto claim_load_slot
	:: else -> slowest = position
	fi;
gate_end: /* G4 tbus_load_acquire_u64(&sub->progress), one subscriber after the other */
	if
	:: atomic {
		slowest = (BEHIND(i, slowest) -> progress[i] : slowest);
		i++;
		if
		:: i < SUBSCRIBERS -> goto gate_end
		:: else
		fi;
		room_end = slowest + SLOTS;
		i = 0; slowest = 0;
		if
		:: room_end <= position -> room_end = 0; seen = 0; goto full_gate
		:: else
		fi }
	:: DIES
	fi;
#endif
claim_load_slot: /* tbus_load_acquire_u64(slot), claimable() */
	if
	:: atomic {
		word = SLOT(position);
		if
		:: CLAIMABLE(word, position) ->
			if
			:: MUST_SETTLE(NEXT_BEFORE(seen), me)
			:: else -> goto claim_cas
			fi
		:: else ->
			if
			:: SLOT_SEQ(word) < position -> seen = 0; goto full_slot
			:: else -> word = 0; seen = 0; position = 0; goto claim_load_claims /* ours is out of date */
			fi
		fi }
	:: DIES
	fi;
settle_load: /* tbus_load_acquire_u64(slot of position - 2) */
	if
	:: atomic {
		other = UNDER_WAY(SLOT(SETTLED(position)), SETTLED(position));
		if
		:: other == NOTHING -> other = 0; goto claim_cas
		:: else
		fi }
	:: DIES
	fi;
settle_cas: /* tbus_cas_u64(slot of position - 2, &other, CLAIMED by whoever claims names) */
	if
	:: atomic { settle(SETTLED(position), other, NEXT_BEFORE(seen)) }
	:: atomic { crashes < CRASHES -> crashes++; other = 0; goto dies }
	fi;
claim_cas: /* tbus_cas_u64(&ring->shared->claims, &seen, position + 1, ours) */
	if
	:: atomic {
		DRAINED(me) ->
		if
#ifdef MUTATE_CLAIM_STORE /* a store where the CAS stands */
		:: true ->
#else
		:: claims == seen ->
#endif
			claims = NEXT_WORD(position + 1, me, NEXT_LAST(seen));
			seen = 0
		:: else -> word = 0; seen = 0; position = 0; goto claim_load_claims
		fi;
#ifdef BATCH
		if
		:: me == 1 && messages > 1 && first_state == 0 -> goto settle_own
		:: else
		fi
#endif
		}
	:: DIES
	fi;
#ifdef MUTATE_READY_FIRST /* the word before the payload */
	goto commit_cas;
#endif
/* the payload; with tbus_claim_try and tbus_commit the caller writes it in place */
tbus_words_store_0:
	if
	:: STORE(me, 0, 2 * (position % SLOTS), VALUE(position))
	:: DIES
	fi;
tbus_words_store_1:
	if
	:: STORE(me, 1, 2 * (position % SLOTS) + 1, VALUE(position))
	:: DIES
	fi;
#ifdef MUTATE_READY_FIRST
	goto one_published;
#endif
#ifdef ABORT
	if
	:: true
	:: me == 1 -> abort = true /* tbus_abort: a tomb, by the same steps */
	fi;
#endif
commit_cas: /* R1 tbus_cas_u64(slot, &old_word, READY) */
	if
	:: atomic {
		RELEASED(me) ->
		if
/* a store where the CAS stands, and a repairer that buries the claims of the living */
#ifdef MUTATE_COMMIT_STORE
		:: true ->
#else
		:: SLOT(position) == word ->
#endif
			committing(position, COMMITS)
		:: else -> goto commit_cas_settled
		fi;
		goto AFTER_COMMIT }
	:: DIES
	fi;
commit_cas_settled: /* R1 tbus_cas_u64(slot, &claimed_word, READY) */
	if
	:: atomic {
		/* Fails only for somebody who was declared dead, and such a one is not here to find out. */
		assert(SLOT(position) == SLOT_WORD(position, me, 0, CLAIMED));
		committing(position, COMMITS);
		goto AFTER_COMMIT }
	:: DIES
	fi;
one_published:
	atomic {
	messages--; word = 0;
#ifdef ABORT
	abort = false;
#endif
#ifdef BATCH
	if
	:: first_state == 1 -> REST_OF_BATCH
	:: else -> first_state = 0
	fi;
#endif
	position = 0;
	goto next_message }

#ifdef BATCH
/* tbus_cas_u64(slot, &old_word, CLAIMED by us): before the next one of the batch is claimed */
settle_own:
	if
	:: atomic { settle(position, word, me); first = position; first_state = 1; position = 0;
		goto claim_load_claims }
	:: DIES
	fi;
#endif
full_slot: /* TBUS_FULL: the slot still holds the message of a lap ago */
#ifdef BATCH
	if
	:: first_state == 1 -> atomic { REST_OF_BATCH } /* a shorter batch */
	:: else
	fi;
#endif
	atomic { !over && SLOT(position) != word -> word = 0; position = 0; goto claim_load_claims }
#if SUBSCRIBERS > 0 && !defined(MUTATE_IGNORE_GATE)
full_gate: /* TBUS_FULL: some subscriber has not passed yet */
#ifdef BATCH
	if
	:: first_state == 1 -> atomic { REST_OF_BATCH }
	:: else
	fi;
#endif
#ifdef EVICT /* bus/ring/publisher.c, evict_slowest() */
evict_load_claims: /* tbus_load_acquire_u64(&s->claims) */
	if
	:: atomic { newest = NEXT_POSITION(claims); position = 0 }
	:: DIES
	fi;
evict_load_place: /* its state and progress, one subscriber after the other */
	if
	:: atomic {
		if
		:: !vacant[i] && newest >= progress[i] && newest - progress[i] > slowest &&
		   HOLDS_US_UP(newest, progress[i]) ->
			slowest = newest - progress[i];
			evicted = i + 1
		:: else
		fi;
		i++;
		if
		:: i < SUBSCRIBERS -> goto evict_load_place
		:: else -> i = 0
		fi;
		/* Nobody loses its place who did not hold the ring up. */
		assert(evicted == 0 || slowest >= SLOTS);
		slowest = 0; newest = 0 }
	:: DIES
	fi;
tbus_place_evict: /* E1 tbus_place_cas(ACTIVE -> EVICTED) */
	if
	:: atomic {
		if
		:: evicted != 0 -> vacant[evicted - 1] = true; evicted = 0
		:: else
		fi;
		goto claim_load_claims }
	:: DIES
	fi;
#else
#ifdef MUTATE_POLL /* looks again at once: it may do so for ever */
#undef GATE_OPEN
#define GATE_OPEN(position) true
#endif
	atomic { !over && GATE_OPEN(position) -> position = 0; goto claim_load_claims }
#endif
#endif

/* The kernel proves a death only after everything that the process had stored is in memory. */
dies:
	atomic {
	DRAINED(me) ->
	position = 0; seen = 0; word = 0; messages = 0;
#ifdef ABORT
	abort = false;
#endif
#ifdef BATCH
	first = 0; first_state = 0;
#endif
#if SUBSCRIBERS > 0 && !defined(MUTATE_IGNORE_GATE)
	room_end = 0; slowest = 0; i = 0;
#endif
#ifdef EVICT
	newest = 0; evicted = 0;
#endif
	dead[me] = true
	}
done:
	published[me] = true
}

#if SUBSCRIBERS > 0
/* --- bus/include/tickbus/subscriber.h: a subscriber that publishers wait for; on a competing ring
 * a follower, which reads behind the consumers --- */
proctype subscriber(byte me)
{
	byte position;
	short word;
#define PLACE (me - FIRST_SUBSCRIBER)
#ifdef EVICT
	bool copied;
#ifdef MUTATE_NO_SECOND_LOOK
#define IS_OURS true
#else
#define IS_OURS !vacant[PLACE]
#endif
#endif

#ifdef LATE /* bus/ring/place.c, open_gate() */
find_end: /* tbus_load_acquire_u64(&s->claims) */
	if
	:: position = NEXT_POSITION(claims)
	:: DIES
	fi;
set_start: /* tbus_store_relaxed_u64(&place->progress) */
	if
	:: progress[PLACE] = position
	:: DIES
	fi;
tbus_place_cas: /* from now on, whoever looks at the gate sees us */
	if
	:: vacant[PLACE] = false
	:: DIES
	fi;
#ifndef MUTATE_JOIN_ONE_LOOK
/* and this is behind whatever was claimed by a publisher that has not looked since */
find_end_again:
	if
	:: position = NEXT_POSITION(claims)
	:: DIES
	fi;
#endif
set_start_again:
	if
	:: atomic { progress[PLACE] = position; start[PLACE] = position }
	:: DIES
	fi;
#endif
tbus_peek: /* R2 tbus_load_acquire_u64(slot), here and in tbus_peek_slow */
#ifdef EVICT /* tbus_peek_copy(): is the place ours? */
	if
	:: vacant[PLACE] -> goto evicted
	:: !vacant[PLACE]
	:: DIES
	fi;
#endif
	if
	:: atomic {
		word = SLOT(position);
		if
/* a newer message: publishers did not wait, and the second look at the place will say so */
#ifdef EVICT
		:: SLOT_SEQ(word) > position &&
		   !(COMPETING && SLOT_SEQ(word) == position + SLOTS && SLOT_STATE(word) == FREE) ->
			word = 0;
			assert(vacant[PLACE]);
			goto evicted
#endif
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == READY
		:: SLOT_SEQ(word) == position && SLOT_STATE(word) == TOMB -> goto skip_tomb
#if COMPETING
		:: SLOT_SEQ(word) == position + SLOTS && SLOT_STATE(word) == FREE ->
			if
			:: LENGTH_TOMB(word) -> goto skip_tomb
			:: else
			fi
#endif
		:: else ->
			/* Publishers wait for us: nothing newer can be here (peek_slow says corrupt). */
			assert(SLOT_SEQ(word) <= position);
			goto tbus_subscriber_flush_idle
		fi;
		word = 0;
		assert(!(received[PLACE] & BIT(position))) }
	:: DIES
	fi;
#ifdef EVICT
copy_0: /* tbus_words_load */
	if
	:: copied = payload[2 * (position % SLOTS)] == VALUE(position)
	:: DIES
	fi;
copy_1:
	if
	:: copied = copied && payload[2 * (position % SLOTS) + 1] == VALUE(position)
	:: DIES
	fi;
peek_copy_again: /* E2: what was copied while the place was ours is whole */
	if
#ifndef MUTATE_NO_SECOND_LOOK
	:: vacant[PLACE] -> goto evicted
#endif
	:: atomic { IS_OURS -> assert(copied && (committed & BIT(position))); copied = false;
		goto tbus_subscriber_flush }
	:: DIES
	fi;
#else
	assert(committed & BIT(position));
#endif
#ifdef MUTATE_PROGRESS_EARLY /* progress before the payload was read */
	progress[PLACE] = position + 1;
#endif
message_0: /* the caller reads the payload in place */
	if
	:: assert(payload[2 * (position % SLOTS)] == VALUE(position))
	:: DIES
	fi;
message_1:
	if
	:: assert(payload[2 * (position % SLOTS) + 1] == VALUE(position))
	:: DIES
	fi;
/* G3 tbus_store_release_u64(&sub->progress); the interval, slot_count / 16, is 1 here */
tbus_subscriber_flush:
	if
	:: atomic {
		received[PLACE] = received[PLACE] | BIT(position);
		position++;
		progress[PLACE] = position;
		goto tbus_peek }
	:: DIES
	fi;
skip_tomb: /* for a tomb alone no progress is published */
	atomic { word = 0; assert(!(committed & BIT(position))); position++; goto tbus_peek }
tbus_subscriber_flush_idle:
	if
	:: progress[PLACE] = position
	:: DIES
	fi;
end_tbus_peek_null:
	atomic { !over && SLOT(position) != word -> word = 0; goto tbus_peek }

#ifdef EVICT
evicted:
	atomic { position = 0; word = 0; copied = false; goto done };
#endif
dies:
	atomic { position = 0; word = 0; dead[me] = true };
done:
	skip
}
#endif

#if OBSERVERS > 0
/* --- bus/ring/observer.c: somebody who only looks. Position and sequence are the same with several
 * publishers, but for whole laps, which the slot's index does not see. --- */

/* seen_state(): a released message of a competing ring is still there to be seen. */
#if COMPETING
#define SEEN_SEQ(word) (SLOT_SEQ(word) - (SLOT_STATE(word) == FREE -> SLOTS : 0))
#define SEEN_STATE(word) \
	(SLOT_STATE(word) != FREE -> SLOT_STATE(word) : (LENGTH_TOMB(word) -> TOMB : READY))
#else
#define SEEN_SEQ(word) SLOT_SEQ(word)
#define SEEN_STATE(word) SLOT_STATE(word)
#endif
proctype observer()
{
	short seq, word, expected, newest;
	byte copy_0, copy_1;

tbus_observe: /* R2 tbus_load_acquire_u64(slot) */
	atomic {
	word = SLOT(seq);
	if
	:: SEEN_SEQ(word) > seq -> goto lapped
	:: SEEN_SEQ(word) < seq ||
	   (SEEN_SEQ(word) == seq && (SEEN_STATE(word) == FREE || SEEN_STATE(word) == CLAIMED)) ->
		goto end_tbus_observe_none
	:: SEEN_SEQ(word) == seq && SEEN_STATE(word) == TOMB ->
		assert(!(committed & BIT(seq)));
		seq++; observer_seq = seq; word = 0; goto tbus_observe
	:: else -> word = 0
	fi };
copy_message_0: /* tbus_words_load */
	copy_0 = payload[2 * (seq % SLOTS)];
copy_message_1:
	copy_1 = payload[2 * (seq % SLOTS) + 1];
/* C2 tbus_load_acquire_u64(&s->claims): the slot itself does not tell that somebody writes there
 * already */
observe_again:
#if defined(MUTATE_NO_SECOND_LOOK) /* the copy is believed as it is */
	skip;
/* the slot is asked: nothing newer is there, and READY -> TAKEN -> FREE leave the payload alone */
#elif defined(MUTATE_OBSERVE_WORD)
	atomic {
	word = SLOT(seq);
	if
	:: SEEN_SEQ(word) == seq -> word = 0
	:: else -> copy_0 = 0; copy_1 = 0; goto lapped
	fi };
#else
	atomic {
	if
	:: NEXT_POSITION(claims) <= seq + SLOTS
	:: else -> copy_0 = 0; copy_1 = 0; goto lapped
	fi };
#endif
copy_is_good:
	atomic {
	assert(committed & BIT(seq));
	assert(!(observed & BIT(seq)));
	assert(copy_0 == VALUE(seq) && copy_1 == VALUE(seq)); /* never torn, never another message */
	observed = observed | BIT(seq);
	copy_0 = 0; copy_1 = 0;
	seq++; observer_seq = seq; goto tbus_observe };

lapped:
	atomic { expected = seq; word = 0 };
/* tbus_load_acquire_u64(&s->claims); a sixteenth of the ring beyond it, at least one slot */
safe_from:
	seq = NEXT_POSITION(claims) - SLOTS + 1;
tbus_ring_end: /* tbus_load_acquire_u64(&s->claims) */
	newest = NEXT_POSITION(claims);
resynchronise: /* tbus_load_acquire_u64(slot), one after the other up to the end */
	atomic {
	if
	:: seq < newest ->
		word = SLOT(seq);
		if
		:: SEEN_STATE(word) == READY && SEEN_SEQ(word) < newest && SEEN_SEQ(word) >= newest - SLOTS ->
			seq = SEEN_SEQ(word)
		:: else -> word = 0; seq++; goto resynchronise
		fi
	:: else
	fi;
	/* What lies between is lost, and counted. It must be gone, then, and nothing may come twice. */
	assert(seq > expected);
	word = 0; expected = 0; newest = 0; observer_seq = seq;
	goto tbus_observe };
end_tbus_observe_none:
	atomic { !over && SLOT(seq) != word -> word = 0; goto tbus_observe }
}
#endif

/* --- bus/ring/ring.c: tbus_ring_repair --- */

/* A process is declared dead when it is dead. The mutations rob the living, as if a stopped process
 * were a dead one. */
#if defined(MUTATE_REPAIR_LIVING_PUBLISHER)
#define PROVEN(owner) (dead[owner] || (owner) <= PUBLISHERS)
#elif defined(MUTATE_REPAIR_LIVING_CONSUMER)
#define PROVEN(owner) (dead[owner] || (owner) >= FIRST_CONSUMER)
#else
#define PROVEN(owner) dead[owner]
#endif
#ifdef HEAL /* as tbus_ring_heal: only who is named somewhere is asked for */
#define NAMED_IN_SLOT(number, i) (SLOT_OWNER(slot[i]) == (number))
#if SLOTS == 2
#define NAMED_IN_SLOTS(number) (NAMED_IN_SLOT(number, 0) || NAMED_IN_SLOT(number, 1))
#else
#define NAMED_IN_SLOTS(number) (NAMED_IN_SLOT(number, 0) || NAMED_IN_SLOT(number, 1) || \
	NAMED_IN_SLOT(number, 2))
#endif
#define NAMED_IN_WORD(next, number) (NEXT_LAST(next) == (number) || NEXT_BEFORE(next) == (number))
#if defined(MUTATE_HEAL_SLOTS_ONLY) /* whoever claimed or took last shows in no slot */
#define IS_NAMED(number) NAMED_IN_SLOTS(number)
#elif COMPETING
#define IS_NAMED(number) (NAMED_IN_SLOTS(number) || NAMED_IN_WORD(claims, number) || \
	NAMED_IN_WORD(takes, number))
#else
#define IS_NAMED(number) (NAMED_IN_SLOTS(number) || NAMED_IN_WORD(claims, number))
#endif
#else
#define IS_NAMED(number) true
#endif
#define TO_MEND(number) \
	atomic { PROVEN(number) && !mended[number] && IS_NAMED(number) -> owner = number; BURY(number) }
#define TO_MEND_PLACE(number) \
	atomic { PROVEN(number) && !mended[number] -> owner = number; BURY(number) }

/* The two halves of repair_slot(): what the word must become (-1: it is none of ours), and the
 * CAS. */
inline what_to_mend(index, owner, word, mend)
{
	word = slot[index];
	if
	:: SLOT_OWNER(word) == owner && SLOT_STATE(word) == CLAIMED ->
		mend = SLOT_WORD(SLOT_SEQ(word), 0, 1, TOMB)
	:: SLOT_OWNER(word) == owner && SLOT_STATE(word) == TAKEN ->
		mend = SLOT_WORD(SLOT_SEQ(word) + SLOTS, 0, 0, FREE)
	:: else -> word = 0; mend = -1
	fi
}
inline mend_slot(index, word, mend)
{
	if
/* a store where the CAS stands: another repairer was faster, and the slot has moved on */
#ifdef MUTATE_REPAIR_STORE
	:: true ->
#else
	:: slot[index] == word ->
#endif
		slot[index] = mend;
		if
		:: SLOT_STATE(word) == TAKEN ->
			assert(!(in_doubt & BIT(SLOT_SEQ(word))));
			in_doubt = in_doubt | BIT(SLOT_SEQ(word))
		:: else
		fi
	:: else
	fi;
	word = 0;
	mend = 0
}

/* A look at a slot that is not the dead one's changes nothing and will find the same later, for the
 * dead claim and take no more. So several such looks are one step - but where the number may be
 * taken again. */
#ifdef REUSE
#define NEXT_LOOK goto repair_slot_load
#else
#define NEXT_LOOK skip
#endif

#if COMPETING
/* settle_take(): a message that is being read gets its reader's name into its slot. */
inline settle_take(at, found, name)
{
	if
	:: SLOT(at) == found -> SLOT(at) = SLOT_WORD(at, name, 0, TAKEN)
	:: else
	fi;
	found = 0
}
#define BEING_READ(word, position) \
	(SLOT_STATE(word) == READY && SLOT_SEQ(word) == (position) -> word : NOTHING)
#endif

/* The two newest claims, and then the two newest takes: whoever has the last is asked for first.
 * `back` is 1, and then 2. */
#define NAMED(next, back) ((back) == 1 -> NEXT_LAST(next) : NEXT_BEFORE(next))

/* Killed, it is run again from the start, by somebody who knows nothing of how far it had come. */
#define REPAIRER_DIES atomic { repair_crashes < REPAIR_CRASHES -> repair_crashes++; goto rerun }

proctype repairer()
{
	byte owner, index, back, named;
	short word, mend, seen;

end_nobody_to_mend:
	if
	:: TO_MEND(1)
#if PUBLISHERS > 1
	:: TO_MEND(2)
#endif
#if PUBLISHERS > 2
	:: TO_MEND(3)
#endif
/* what a dead consumer had taken stays taken */
#if CONSUMERS > 0 && !defined(MUTATE_REPAIR_NO_CONSUMER)
	:: TO_MEND(FIRST_CONSUMER)
#endif
#if CONSUMERS > 1 && !defined(MUTATE_REPAIR_NO_CONSUMER)
	:: TO_MEND(FIRST_CONSUMER + 1)
#endif
#if CONSUMERS > 2 && !defined(MUTATE_REPAIR_NO_CONSUMER)
	:: TO_MEND(FIRST_CONSUMER + 2)
#endif
#if SUBSCRIBERS > 0
	:: TO_MEND_PLACE(FIRST_SUBSCRIBER)
#endif
#if SUBSCRIBERS > 1
	:: TO_MEND_PLACE(FIRST_SUBSCRIBER + 1)
#endif
	fi;
#ifndef MUTATE_REPAIR_NO_SETTLE
repair_load_claims: /* tbus_load_acquire_u64(&ring->shared->claims) */
	if
	:: atomic { seen = claims; back = 1 }
	:: REPAIRER_DIES
	fi;
settle_load: /* tbus_load_acquire_u64(slot), of the last one and the one before it */
	if
	:: atomic {
		do
		:: back <= 2 && NAMED(seen, back) != 0 ->
			word = UNDER_WAY(SLOT(NEXT_POSITION(seen) - back), NEXT_POSITION(seen) - back);
			if
			:: word != NOTHING -> goto settle_cas
			:: else -> word = 0; back++
			fi
		:: back <= 2 && NAMED(seen, back) == 0 -> back++
		:: back > 2 -> goto settled_claims
		od }
	:: REPAIRER_DIES
	fi;
settle_cas: /* tbus_cas_u64(slot, &word, CLAIMED by whoever claims names) */
	if
	:: atomic {
		named = NAMED(seen, back);
		settle(NEXT_POSITION(seen) - back, word, named);
		named = 0;
		back++;
		if
		:: back <= 2 -> goto settle_load
		:: else -> goto settled_claims
		fi }
	:: REPAIRER_DIES
	fi;
settled_claims:
#if COMPETING
repair_load_takes: /* tbus_load_acquire_u64(&ring->shared->takes) */
	if
	:: atomic { seen = takes; back = 1 }
	:: REPAIRER_DIES
	fi;
settle_take_load: /* tbus_load_acquire_u64(slot), of the last one and the one before it */
	if
	:: atomic {
		do
		:: back <= 2 && NAMED(seen, back) != 0 ->
			word = BEING_READ(SLOT(NEXT_POSITION(seen) - back), NEXT_POSITION(seen) - back);
			if
			:: word != NOTHING -> goto settle_take_cas
			:: else -> word = 0; back++
			fi
		:: back <= 2 && NAMED(seen, back) == 0 -> back++
		:: back > 2 -> goto settled_takes
		od }
	:: REPAIRER_DIES
	fi;
settle_take_cas: /* tbus_cas_u64(slot, &word, TAKEN by whoever takes names) */
	if
	:: atomic {
		named = NAMED(seen, back);
		settle_take(NEXT_POSITION(seen) - back, word, named);
		named = 0;
		back++;
		if
		:: back <= 2 -> goto settle_take_load
		:: else -> goto settled_takes
		fi }
	:: REPAIRER_DIES
	fi;
settled_takes:
#endif
	atomic { seen = 0; back = 0 };
#endif
repair_slot_load: /* tbus_load_acquire_u64(slot) */
	if
	:: atomic {
		do
		:: index < SLOTS ->
			what_to_mend(index, owner, word, mend);
			if
			:: mend == -1 -> mend = 0; index++; NEXT_LOOK
			:: else -> break
			fi
		:: else -> goto repair_place
		od }
	:: REPAIRER_DIES
	fi;
repair_slot_cas: /* tbus_cas_u64(slot, &word, mended) */
	if
	:: atomic { mend_slot(index, word, mend); index++; goto repair_slot_load }
	:: REPAIRER_DIES
	fi;
repair_place: /* a dead subscriber's place is given up: publishers no longer wait for it */
	if
	:: atomic {
#if SUBSCRIBERS > 0
		if
		:: owner >= FIRST_SUBSCRIBER && owner < SPARE -> vacant[owner - FIRST_SUBSCRIBER] = true
		:: else
		fi;
#endif
		mended[owner] = true; BURIED(owner);
		index = 0; owner = 0; goto end_nobody_to_mend }
	:: REPAIRER_DIES
	fi;
rerun:
	atomic { BURIED(owner); owner = 0; index = 0; back = 0; word = 0; mend = 0; seen = 0;
		goto end_nobody_to_mend }
}

#ifdef REUSE
/* A new process with the number of dead publisher 1 (tbus_participant_live): takes the life lock,
 * which it gets only when nobody buries its predecessor; mends what that one left, all the same;
 * publishes one message. */
proctype successor()
{
	byte index, back, named;
	short word, mend, seen;

end_nobody_died:
	atomic { dead[1] && NOT_BURIED_NOW(1) -> dead[1] = false };
repair_load_claims:
	atomic { seen = claims; back = 1 };
settle_load: /* it took nothing, and so the takes need no look */
	atomic {
		do
		:: back <= 2 && NAMED(seen, back) != 0 ->
			word = UNDER_WAY(SLOT(NEXT_POSITION(seen) - back), NEXT_POSITION(seen) - back);
			if
			:: word != NOTHING -> goto settle_cas
			:: else -> word = 0; back++
			fi
		:: back <= 2 && NAMED(seen, back) == 0 -> back++
		:: back > 2 -> goto settled
		od };
settle_cas:
	atomic {
		named = NAMED(seen, back);
		settle(NEXT_POSITION(seen) - back, word, named);
		named = 0; back++; goto settle_load };
settled:
	atomic { seen = 0; back = 0 };
repair_slot_load:
	atomic {
		if
		:: index < SLOTS ->
			what_to_mend(index, 1, word, mend);
			if
			:: mend == -1 -> mend = 0; index++; goto repair_slot_load
			:: else
			fi
		:: else -> goto repaired
		fi };
repair_slot_cas:
	atomic { mend_slot(index, word, mend); index++; goto repair_slot_load };
repaired:
	atomic { index = 0; mended[1] = false; published[1] = false; run publisher(1, 1) }
}
#endif

/* --- for the judges, when nobody can move any more --- */

/* Nobody is stuck: subscribers, consumers, observers and repairers rest in their end_ labels, which
 * Spin checks, and every publisher has done its part. */
inline judge_publishers(i)
{
	i = 1;
	do
	:: i <= PUBLISHERS -> assert(published[i]); i++
	:: else -> break
	od
}
/* Subscribers that live have received all messages and no tomb; observers have seen or counted
 * everything. */
inline judge_readers(i, end)
{
#if SUBSCRIBERS > 0
	i = 0;
	do
	:: i < SUBSCRIBERS ->
		assert(vacant[i] || (received[i] == (committed & ~(BIT(START(i)) - 1)) && progress[i] == end));
		i++
	:: else -> break
	od;
#endif
#if OBSERVERS > 0
	assert(observer_seq == end);
	assert((observed & ~committed) == 0);
#endif
	skip
}
inline run_the_rest()
{
#if defined(LATE) && SUBSCRIBERS > 0
	vacant[0] = true;
#if SUBSCRIBERS > 1
	vacant[1] = true;
#endif
#endif
	run publisher(1, MESSAGES);
#if PUBLISHERS > 1
	run publisher(2, MESSAGES_2);
#endif
#if PUBLISHERS > 2
	run publisher(3, MESSAGES_3);
#endif
#if SUBSCRIBERS > 0
	run subscriber(FIRST_SUBSCRIBER);
#endif
#if SUBSCRIBERS > 1
	run subscriber(FIRST_SUBSCRIBER + 1);
#endif
#if OBSERVERS > 0
	run observer();
#endif
#ifdef REUSE
	run successor();
#endif
	run repairer();
#if REPAIRERS > 1
	run repairer();
#endif
	run judge()
}
