"""More ways of saying each command, for what learns words alone: the command encoder and what hears commands.

Written without knowledge of the grammar's wording, after the policies of the cell were trained. What had the wording
of held-out phrases was taken out, so that these still measure words that nobody trained on. Pure data; the keys are
those of `grammar.py`, `wording.py` fills the slots.
"""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "pick": """
    pick up the {name} | pick the {name} up | pick up that {name} for me | grab the {name} | go grab the {name} | grab
    hold of the {name} | grab me the {name} | take the {name} | take the {name} off the table | take hold of the {name}
    | lift the {name} | lift up the {name} | lift the {name} off the table | get the {name} | go get the {name} | get
    hold of the {name} | get a grip on the {name} and lift it | fetch the {name} | fetch me that {name} | scoop up the
    {name} | pluck the {name} off the table | raise the {name} off the table | hoist the {name} up | nab the {name} |
    grasp the {name} | grasp the {name} and lift it | grip the {name} and bring it up | clutch the {name} and raise it
    | catch hold of the {name} and lift | retrieve the {name} | gather up the {name} | can you pick up the {name} | can
    you get the {name} for me | could you grab that {name} | could you take the {name} please | would you lift the
    {name} | will you fetch the {name} please | i'd like you to pick up the {name} | i'd like the {name} picked up | i
    want you to grab the {name} | i need you to lift the {name} | you should pick up the {name} | you should take the
    {name} now | you can pick up the {name} now | you may take the {name} | let's pick up the {name} | let's have the
    {name} off the table | let's grab the {name} next | how about picking up the {name} | how about you grab the {name}
    | what about taking the {name} next | why don't you pick up the {name} | please get that {name} off the table | now
    the {name} pick that up | the {name} grab it | see the {name} pick it up | you see that {name} take it | that
    {name} over there pick it up | next one to pick up is the {name} | it's the {name} i want you to grab | time to
    pick up the {name} | go for the {name} and lift it | reach for the {name} and pick it up | reach over and grab the
    {name} | go ahead and pick up the {name} | get your fingers round the {name} and lift it | get your hand on the
    {name} and pick it up | try to pick up the {name} | try and grab the {name} | up with the {name} | have a go at
    picking up the {name} | find the {name} and pick it up | close on the {name} and lift it | mind grabbing the {name}
    | just take the {name} will you | okay pick the {name} up off the table | be a dear and fetch the {name} | the
    {name} needs picking up | the {name} should come off the table
    """,
    "above": """
    hover above the {name} | hover over the {name} | go above the {name} | go over the {name} but don't touch it | move
    above the {name} | move your hand above the {name} | position yourself above the {name} | place your hand above the
    {name} without touching it | bring your hand over the {name} | bring the gripper above the {name} | get above the
    {name} | get your hand right over the {name} | hang above the {name} | stay hovering over the {name} | center
    yourself over the {name} | hold your hand over the {name} | hold the gripper above the {name} | take your hand over
    to just above the {name} | take up position above the {name} | fly over to the {name} and hover | come to a spot
    above the {name} | can you go above the {name} | can you hover over the {name} | could you move above the {name}
    please | could you put your hand over the {name} without grabbing it | would you bring the gripper over the {name}
    | i'd like you above the {name} | i'd like your hand over the {name} | i want the gripper above the {name} | i want
    you to hover over the {name} | i need the hand right above the {name} | you should be above the {name} | you should
    go over the {name} and stay off it | let's go above the {name} | let's get over the {name} first | how about
    hovering over the {name} | what about going above the {name} | why don't you move over the {name} | please go to a
    point above the {name} | now above the {name} | now hover over that {name} | above the {name} please | right over
    the {name} please | just above the {name} | the {name} go above it | the {name} hover over it | see that {name} get
    above it | don't grab the {name} just hover over it | don't touch the {name} just go above it | aim for the air
    above the {name} | your hand belongs above the {name} | approach the {name} from above but leave it there | get
    ready above the {name}
    """,
    "box": """
    put {it} in {box} | put {it} into {box} | put {it} inside {box} | put {it} down in {box} | place {it} in {box} |
    place {it} inside {box} | drop {it} in {box} | drop {it} into {box} | drop {it} off in {box} | let {it} fall into
    {box} | pack {it} in {box} | pack {it} into {box} | pack {it} away in {box} | stick {it} in {box} | pop {it} in
    {box} | pop {it} into {box} | chuck {it} in {box} | toss {it} in {box} | toss {it} into {box} | throw {it} in {box}
    | bung {it} in {box} | shove {it} in {box} | stuff {it} in {box} | sling {it} in {box} | dump {it} in {box} | plonk
    {it} in {box} | plop {it} into {box} | lay {it} in {box} | set {it} in {box} | set {it} down inside {box} | store
    {it} in {box} | release {it} into {box} | tuck {it} into {box} | move {it} into {box} | lower {it} into {box} |
    transfer {it} to {box} | take {it} over to {box} and drop it in | carry {it} to {box} and let go | bring {it} to
    {box} and put it in | get {it} in {box} | get {it} into {box} for me | leave {it} in {box} | file {it} away in
    {box} | slip {it} into {box} | insert {it} into {box} | can you put {it} in {box} | can you drop {it} into {box} |
    can you pop {it} in {box} for me | could you place {it} in {box} | could you pack {it} into {box} please | would
    you put {it} in {box} | would you mind dropping {it} in {box} | will you stick {it} in {box} | i'd like {it} in
    {box} | i'd like you to put {it} in {box} | i want {it} in {box} | i want {it} packed into {box} | i need {it} in
    {box} | you should put {it} in {box} | you can put {it} in {box} now | you can drop {it} in {box} | let's put {it}
    in {box} | let's get {it} into {box} | how about putting {it} in {box} | what about {it} going in {box} | why don't
    you drop {it} in {box} | {it} goes in {box} | {it} goes into {box} please | {it} should be in {box} | {it} can go
    in {box} | {it} needs to go into {box} | {it} into {box} please | and {it} goes in {box} too | in {box} with {it} |
    into {box} with {it} | make sure {it} ends up in {box} | find room for {it} in {box} | off to {box} with {it} |
    into {box} | in {box} please | inside {box} please | in {box} now | drop in {box} | straight into {box} | right
    into {box} | over to {box} and let it drop | drop what you've got into {box} | empty your hand into {box} | let go
    of it over {box} | pack what you have into {box} | place the thing in your hand into {box}
    """,
    "down": """
    put {it} down | put {it} back down | put {it} down on {table} | put {it} on {table} | put {it} back on {table} |
    set {it} down | set {it} down gently | set {it} down right there | set {it} down on {table} | set {it} on {table} |
    lay {it} down | lay {it} down on {table} | lay {it} on {table} | place {it} on {table} | place {it} down | place
    {it} down where you are | place {it} back on {table} | drop {it} on {table} | drop {it} off on {table} | pop {it}
    down | pop {it} down on {table} | pop {it} back on {table} | stick {it} down on {table} | deposit {it} on {table} |
    park {it} on {table} | stand {it} on {table} | ease {it} down onto {table} | lower {it} onto {table} and let go |
    lower {it} to {table} and release it | bring {it} down to {table} and let go | get {it} down on {table} | can you
    put {it} down | can you set {it} down on {table} | could you put {it} down there | could you lay {it} down please |
    could you place {it} on {table} | would you put {it} down for me | would you mind setting {it} down | will you put
    {it} back on {table} | i'd like you to put {it} down | i'd like {it} on {table} | i'd like {it} back on {table} | i
    want {it} put down | i want {it} back down on {table} | i need you to set {it} down | you should put {it} down |
    you should set {it} on {table} | you can put {it} down now | you may set {it} down | let's put {it} down | let's
    have {it} back on {table} | how about putting {it} down | how about you set {it} on {table} | what about setting
    {it} down here | why don't you put {it} down | now set {it} down right where you are | okay you can lay {it} down |
    just put {it} down anywhere | just set {it} down here | {it} goes back on {table} | {it} goes down on {table} |
    {it} can go down now | {it} should go on {table} | {it} belongs on {table} | down with {it} onto {table} | down on
    {table} with {it} | onto {table} with {it} | back on {table} with {it} | put {it} down here in front of you | put
    {it} down carefully | touch {it} down on {table} and let go | go ahead and put {it} down | time to put {it} down
    """,
    "handover": """
    hand it over to {arm} | hand it to {arm} | hand that to {arm} | hand it across to {arm} | hand off to {arm} | hand
    it off to {arm} | pass it to {arm} | pass it over to {arm} | pass it on to {arm} | pass it across to {arm} | pass
    that one to {arm} | pass what you're holding to {arm} | give it to {arm} | give that to {arm} | give it over to
    {arm} | give {arm} the object | give {arm} what you're holding | pass {arm} the thing | hand {arm} the thing you're
    holding | transfer it to {arm} | transfer the object to {arm} | transfer it over into {arm} | change over to {arm}
    for holding it | move it over into {arm} | put it in {arm} | put it into {arm} | place it in the grip of {arm} |
    shift it across to {arm} | get it over to {arm} | get it into {arm} | let {arm} have it | let {arm} take it | let
    {arm} take over the object | let {arm} hold it | let {arm} carry it from here | have {arm} take it | have {arm}
    hold it instead | make {arm} take it from the other one | take it with {arm} from the other hand | use {arm} to
    take it from the other arm | can you hand it to {arm} | can you pass it over to {arm} | can {arm} take it from the
    other one | could you give it to {arm} | could {arm} take it from here | would you pass it to {arm} | would you
    mind handing it to {arm} | will you hand that over to {arm} | i'd like {arm} to have it | i'd like it in {arm} |
    i'd like you to pass it to {arm} | i want {arm} to hold it now | i want it handed to {arm} | i need it in {arm} |
    you should hand it to {arm} | you should give it to {arm} now | {arm} should take it | {arm} should hold it instead
    | {arm} can have it now | {arm} gets it | {arm} takes it from here | {arm} needs to have it | it goes to {arm} | it
    should go over to {arm} | it's {arm} that should be holding it | let's pass it to {arm} | let's have it in {arm} |
    how about handing it to {arm} | what about giving it to {arm} | why don't you pass it to {arm} | over to {arm} with
    it | do a handover to {arm} | hand over to {arm} | change hands so {arm} has it | trade it over to {arm} | slip it
    to {arm} | {other} to {arm} | from {other} to {arm} | from {other} into {arm} | pass it from {other} to {arm} |
    move it from {other} to {arm} | let {other} pass it to {arm} | get {other} to hand it to {arm} | have {other} give
    it to {arm} | {other} gives it to {arm} | {other} hands it over to {arm} | {other} passes the object to {arm} |
    take it out of {other} with {arm} | {arm} takes it from {other} | {arm} takes it out of {other} | let {arm} have
    what {other} holds | give what is in {other} to {arm} | take it away from {other} with {arm}
    """,
    "home": """
    go home | go back home | go to your home position | go back to your home position | both arms home | both arms back
    home | home both arms | return home | return to home | return to your rest position | return to the starting
    position | return both arms to rest | return to base | return to where you started | go back to the start | go back
    to your starting position | go to rest | go to the rest position | go to your parking position | go to neutral | go
    back to neutral | go back to the initial pose | park both arms | park yourself | park the arms | park your arms
    please | tuck your arms away | tuck both arms back in | tuck yourself in | fold your arms back in | fold both arms
    away | put your arms away | put both arms away | stow your arms | stow both arms | retract both arms | retract to
    your home pose | pull both arms back to rest | bring both arms home | bring your arms back to the rest position |
    take both arms back to where they started | take your arms home | send both arms home | reset your arms | reset
    both arms | reset to the start pose | reset your position | reset yourself | rest your arms | rest both your arms |
    rest position please | home position please | home please | back to home please | back home you go | off home you
    go | back to base | back to square one with both arms | back to your starting pose | back to the rest position with
    both arms | can you go home | can you go back to your rest position | could you park your arms | could you return
    to the home position please | could you put both arms back where they started | would you go back to your starting
    position | would you mind going home now | will you go home please | i'd like you to go home | i'd like both arms
    back at rest | i want both arms home | i want you in the rest position | i need you back in your home position |
    you should go home now | you should return to your starting pose | you can go home now | you can rest your arms now
    | you can go back to rest | you may go home | let's go home | let's go back to the start position | let's get both
    arms back home | how about going home | what about going back to your rest position | why don't you go home | why
    don't you park your arms | please return to your home position | now back to the rest position | time to go home |
    time to park those arms | it's home time for both arms | we're done you can go home | assume the home position |
    take up your resting pose | resume your starting position | get back into your starting pose | get yourself home |
    get both arms back to the rest position | head home | head back home
    """,
    "home arm": """
    send {arm} home | send {arm} back home | send {arm} back to its rest position | bring {arm} home | bring {arm} back
    home | bring {arm} back to rest | bring {arm} to its starting position | take {arm} home | take {arm} back to where
    it started | move {arm} home | move {arm} to its home position | move {arm} back to its rest position | put {arm}
    away | put {arm} back in its rest position | put {arm} back where it started | tuck {arm} away | tuck {arm} back in
    | stow {arm} | stow {arm} away | fold {arm} away | fold {arm} back in | home {arm} | rest {arm} | reset {arm} |
    reset {arm} to the start pose | return {arm} to rest | return {arm} to its home position | return {arm} to the
    starting position | let {arm} go home | let {arm} rest | let {arm} go back to its starting pose | have {arm} go
    home | have {arm} return to rest | make {arm} go home | can you send {arm} home | can {arm} go home | could you put
    {arm} away please | could you bring {arm} back to its rest position | could {arm} go back to where it started |
    would you send {arm} home | would you mind parking {arm} | i'd like {arm} home | i'd like {arm} back in its rest
    position | i want {arm} home | i want {arm} parked | i need {arm} back at its starting position | you can put {arm}
    away now | you can rest {arm} now | {arm} should go home | {arm} can go home now | {arm} can rest now | {arm} may
    go back to rest | {arm} home | {arm} back home | {arm} back to its rest position please | {arm} to the home
    position | {arm} goes home | {arm} is done send it home | how about sending {arm} home | what about parking {arm} |
    why don't you put {arm} away | off home with {arm} | back home with {arm} | home with {arm} | time for {arm} to go
    home | just {arm} back to its starting position
    """,
    "move small": """
    move {arm} {small} {way} | move {arm} {way} {small} | move {arm} just {small} {way} | move {arm} {way} just {small}
    | shift {arm} {small} {way} | shift {arm} {way} {small} | nudge {arm} {small} {way} | nudge {arm} {way} {small} |
    bring {arm} {small} {way} | bring {arm} {way} {small} | slide {arm} {small} {way} | slide {arm} {way} {small} |
    ease {arm} {small} {way} | ease {arm} {way} just {small} | edge {arm} {small} {way} | budge {arm} {small} {way} |
    scoot {arm} {small} {way} | scoot {arm} {way} {small} | bump {arm} {way} {small} | take {arm} {small} {way} | take
    {arm} {way} {small} | get {arm} {small} {way} | send {arm} {small} {way} | put {arm} {small} {way} | push {arm}
    {small} {way} | guide {arm} {small} {way} | adjust {arm} {small} {way} | correct {arm} {small} {way} | let {arm} go
    {small} {way} | let {arm} drift {small} {way} | have {arm} go {small} {way} | have {arm} come {small} {way} | make
    {arm} go {way} {small} | can you move {arm} {small} {way} | can you move {arm} {way} {small} | can you nudge {arm}
    {small} {way} | can {arm} go {small} {way} | could you shift {arm} {small} {way} | could you bring {arm} {way}
    {small} | could {arm} move {way} {small} | would you move {arm} {way} {small} | would you mind moving {arm} {small}
    {way} | will you scoot {arm} {small} {way} | i'd like {arm} {small} {way} | i'd like you to move {arm} {small}
    {way} | i want {arm} {small} {way} | i want {arm} to go {way} {small} | i need {arm} {small} {way} | you should
    move {arm} {small} {way} | you should take {arm} {way} {small} | you can move {arm} {small} {way} | {arm} should go
    {small} {way} | {arm} should be {small} {way} | {arm} needs to go {small} {way} | {arm} has to come {way} {small} |
    {arm} could go {small} {way} | {arm} {small} {way} | {arm} {way} {small} | {arm} just {small} {way} | {small} {way}
    with {arm} | {way} {small} with {arm} | {small} {way} for {arm} | let's move {arm} {small} {way} | let's have {arm}
    {way} {small} | how about {arm} {small} {way} | how about moving {arm} {way} {small} | what about shifting {arm}
    {small} {way} | what about {arm} {small} {way} | why don't you move {arm} {small} {way} | with {arm} move {way}
    {small} | try {arm} {small} {way} | try moving {arm} {small} {way} | okay {arm} {small} {way} from there
    """,
    "move": """
    move {arm} {way} | shift {arm} {way} | take {arm} {way} | slide {arm} {way} | send {arm} {way} | get {arm} {way} |
    get {arm} moving {way} | get {arm} to go {way} | guide {arm} {way} | steer {arm} {way} | drive {arm} {way} | carry
    {arm} {way} | push {arm} {way} | direct {arm} {way} | head {way} with {arm} | go {way} with {arm} | move {way} with
    {arm} | reach {way} with {arm} | come {way} with {arm} | slide {way} with {arm} | use {arm} and go {way} | with
    {arm} go {way} | with {arm} move {way} | run {arm} {way} | glide {arm} {way} | displace {arm} {way} | translate
    {arm} {way} | relocate {arm} {way} | scoot {arm} {way} | have {arm} go {way} | have {arm} move {way} | make {arm}
    go {way} | make {arm} move {way} | can you move {arm} {way} | can you take {arm} {way} | can you get {arm} to move
    {way} | can {arm} go {way} | can {arm} move {way} | could you move {arm} {way} | could you shift {arm} {way} please
    | could {arm} go {way} | would you move {arm} {way} | would you mind moving {arm} {way} | will you slide {arm}
    {way} | i'd like {arm} to go {way} | i'd like you to move {arm} {way} | i want {arm} to move {way} | i want you to
    take {arm} {way} | i need {arm} to go {way} | i need you to shift {arm} {way} | you should move {arm} {way} | you
    can move {arm} {way} | you need to move {arm} {way} | you have to go {way} with {arm} | {arm} should go {way} |
    {arm} should move {way} | {arm} needs to go {way} | {arm} {way} | {arm} goes {way} | {arm} moves {way} | {arm} go
    {way} | {arm} move {way} | {way} with {arm} | {way} is where i want {arm} | let's move {arm} {way} | let's go {way}
    with {arm} | let's have {arm} go {way} | how about moving {arm} {way} | how about {arm} goes {way} | what about
    moving {arm} {way} | what about going {way} with {arm} | why don't you move {arm} {way} | go ahead and move {arm}
    {way} | try moving {arm} {way} | try going {way} with {arm} | start moving {arm} {way}
    """,
    "move far": """
    move {arm} {far_before} {way} | move {arm} {way} {lots_after} | shift {arm} {far_before} {way} | shift {arm} {way}
    {lots_after} | take {arm} {far_before} {way} | take {arm} {way} {lots_after} | slide {arm} {far_before} {way} |
    slide {arm} {way} {lots_after} | send {arm} {far_before} {way} | send {arm} {way} {lots_after} | push {arm}
    {far_before} {way} | push {arm} {way} {lots_after} | get {arm} {far_before} {way} | get {arm} {way} {lots_after} |
    drive {arm} {far_before} {way} | drive {arm} {way} {lots_after} | swing {arm} {far_before} {way} | put {arm}
    {far_before} {way} | bring {arm} {far_before} {way} | bring {arm} {way} {lots_after} | stretch {arm} {far_before}
    {way} | reach {far_before} {way} with {arm} | reach {way} {lots_after} with {arm} | go {far_before} {way} with
    {arm} | go {way} {lots_after} with {arm} | move {way} {lots_after} with {arm} | travel {far_before} {way} with
    {arm} | with {arm} move {way} {lots_after} | let {arm} go {far_before} {way} | let {arm} travel {way} {lots_after}
    | have {arm} go {far_before} {way} | have {arm} move {way} {lots_after} | make {arm} go {far_before} {way} | make
    {arm} move {way} {lots_after} | can you move {arm} {far_before} {way} | can you move {arm} {way} {lots_after} | can
    {arm} go {far_before} {way} | can {arm} go {way} {lots_after} | could you take {arm} {far_before} {way} | could you
    shift {arm} {way} {lots_after} | would you move {arm} {far_before} {way} | would you mind moving {arm} {way}
    {lots_after} | i'd like {arm} {far_before} {way} | i'd like {arm} to go {way} {lots_after} | i want {arm}
    {far_before} {way} | i want {arm} to move {way} {lots_after} | i need {arm} {far_before} {way} | i need {arm} to go
    {way} {lots_after} | you should move {arm} {far_before} {way} | you should take {arm} {way} {lots_after} | you can
    move {arm} {way} {lots_after} | {arm} should go {far_before} {way} | {arm} should move {way} {lots_after} | {arm}
    {far_before} {way} | {arm} {way} {lots_after} | {arm} goes {far_before} {way} | {far_before} {way} with {arm} |
    {way} {lots_after} with {arm} | let's move {arm} {far_before} {way} | let's take {arm} {way} {lots_after} | how
    about {arm} {far_before} {way} | how about moving {arm} {way} {lots_after} | what about taking {arm} {far_before}
    {way} | why don't you move {arm} {way} {lots_after} | go ahead and move {arm} {far_before} {way} | don't be shy
    move {arm} {way} {lots_after}
    """,
    "armless": """
    a bit {way} | a little {way} | a tad {way} | a touch {way} | a smidge {way} | a smidgen {way} | a hair {way} | a
    fraction {way} | slightly {way} | somewhat {way} | only slightly {way} | a tiny bit {way} | a wee bit {way} | a
    little bit {way} | little bit {way} | bit {way} | {way} a bit | {way} a little | {way} a touch | {way} a tad |
    {way} just a little | {way} just a bit | {way} slightly | {way} a little bit | {way} a smidge | go a bit {way} | go
    a little {way} | go {way} a bit | go {way} a little | go slightly {way} | move a bit {way} | move a little {way} |
    move {way} a bit | move {way} slightly | come a bit {way} | come {way} a little | shift a bit {way} | shift {way} a
    touch | scoot {way} a bit | scooch a little {way} | edge a bit {way} | inch {way} a little | nudge it {way} | nudge
    it a bit {way} | nudge {way} please | get a bit {way} | get it a bit {way} | move it a bit {way} | move it {way} a
    little | shift it slightly {way} | bring it a bit {way} | bring it {way} a touch | ease it {way} a little | take it
    a bit {way} | take it {way} a little | bit more {way} with it | a bit {way} with it | a little {way} with your hand
    | your hand a bit {way} | still a bit {way} | another bit {way} | once more a bit {way} | no a bit {way} | can you
    go a bit {way} | can you move it {way} a little | can we go a bit {way} | could you come {way} a bit | could you go
    slightly {way} | would you move it a little {way} | would you mind going a bit {way} | i'd like it a bit {way} |
    i'd like it {way} a touch | i want it a little {way} | i need you a bit {way} | i need it slightly {way} | you
    should go a bit {way} | you should be a little {way} | you need to go a bit {way} | you have to come {way} a bit |
    it should be a bit {way} | it needs to go slightly {way} | it has to be a touch {way} | let's go a bit {way} | how
    about a bit {way} | how about going {way} a little | what about a little {way} | what about slightly {way} | why
    don't you go a bit {way} | make it a bit {way} | small step {way} | one small step {way} | almost just a bit {way}
    | nearly there a little {way}
    """,
    "open": """
    open {hand} | open up {hand} | open {hand} up | open {hand} fully | open {hand} completely | open {hand} all the
    way | open {hand} wide | open {hand} right up | open {hand} as wide as possible | open {hand} to the max | open
    {hand} to the limit | open the fingers of {hand} | open the jaws of {hand} | fully open {hand} | spread {hand} wide
    | spread {hand} all the way open | spread the fingers of {hand} wide | unclose {hand} | release {hand} | release
    the grip of {hand} | stretch {hand} wide open | fling {hand} open | throw {hand} wide open | get {hand} open | get
    {hand} all the way open | put {hand} in the open position | set {hand} to fully open | set {hand} to open | bring
    {hand} to full opening | keep opening {hand} till the end | let {hand} open | let {hand} open completely | make
    {hand} open | make {hand} open up all the way | can you open {hand} | can you open {hand} all the way | can you get
    {hand} open | can {hand} open up | could you open {hand} please | could you open up {hand} completely | would you
    open {hand} | would you mind opening {hand} | will you open {hand} | i'd like {hand} open | i'd like you to open
    {hand} | i want {hand} open | i want {hand} wide open | i need {hand} open | i need {hand} fully open | you should
    open {hand} | you can open {hand} now | you may open {hand} | {hand} should be open | {hand} should open all the
    way | {hand} has got to open | {hand} open please | {hand} wide open | {hand} all the way open | {hand} open now |
    let's open {hand} | how about opening {hand} | what about opening up {hand} | why don't you open {hand} | go ahead
    and open {hand} | full open on {hand} | maximum opening for {hand}
    """,
    "close": """
    close {hand} | close up {hand} | close {hand} up | close {hand} fully | close {hand} completely | close {hand} all
    the way | close {hand} tight | close {hand} right up | close the fingers of {hand} | close the jaws of {hand} |
    fully close {hand} | shut {hand} | shut {hand} completely | shut {hand} all the way | shut {hand} tight | shut the
    jaws of {hand} | squeeze {hand} shut | squeeze {hand} all the way closed | snap {hand} shut | press {hand} shut |
    pinch {hand} shut | pull {hand} shut | bring the fingers of {hand} together | bring the jaws of {hand} all the way
    together | make a fist with {hand} | ball {hand} into a fist | get {hand} closed | get {hand} shut | put {hand} in
    the closed position | set {hand} to closed | set {hand} to fully closed | keep closing {hand} till the end | let
    {hand} close | let {hand} shut completely | make {hand} close | make {hand} shut all the way | can you close {hand}
    | can you shut {hand} | can you close {hand} all the way | can {hand} close | could you close {hand} please | could
    you shut {hand} completely | would you close {hand} | would you mind closing {hand} | will you shut {hand} | i'd
    like {hand} closed | i'd like you to close {hand} | i want {hand} closed | i want {hand} shut | i need {hand}
    closed | i need {hand} fully shut | you should close {hand} | you should shut {hand} | you can close {hand} now |
    you may close {hand} | {hand} should be closed | {hand} should close all the way | {hand} closed please | {hand}
    shut please | {hand} all the way closed | {hand} closed now | let's close {hand} | how about closing {hand} | what
    about shutting {hand} | why don't you close {hand} | go ahead and shut {hand}
    """,
    "wider": """
    open {hand} a bit | open {hand} a little | open {hand} a little more | open {hand} a bit more | open {hand} a bit
    wider | open {hand} slightly | open {hand} just a touch | open {hand} just a crack | open {hand} a tad | open
    {hand} a fraction | open {hand} a hair | open {hand} a little bit | open up {hand} a little | open up {hand} a bit
    more | slightly open {hand} | crack {hand} open a little | crack {hand} open just a bit | widen {hand} a bit |
    widen {hand} a little | widen {hand} slightly | widen the gap of {hand} a touch | widen the grip of {hand} a little
    | relax {hand} a little | relax {hand} a bit | relax the grip of {hand} slightly | slacken {hand} a bit | slacken
    off {hand} a little | ease {hand} open a bit | ease {hand} open a touch | ease off {hand} a little | spread {hand}
    a little | spread {hand} a bit wider | spread the fingers of {hand} a little | part the fingers of {hand} a bit |
    get {hand} a bit wider | set {hand} a touch wider | let {hand} open a bit | let {hand} out a little | have {hand}
    open slightly | give {hand} a bit more opening | give {hand} a little more room between the fingers | unclench
    {hand} a little | can you open {hand} a bit | can you open {hand} a little wider | can {hand} open a little | could
    you widen {hand} a bit | could you open {hand} slightly please | could {hand} be a bit wider | would you open
    {hand} a touch | would you mind opening {hand} a little | i'd like {hand} a bit wider | i'd like {hand} open a
    little more | i want {hand} slightly wider | i want {hand} a bit more open | i need {hand} a little wider | you
    should open {hand} a little | you can open {hand} a bit more | {hand} should be a bit wider | {hand} should open a
    little more | {hand} a bit wider | {hand} a little wider please | {hand} slightly more open | {hand} a touch wider
    | {hand} a bit more open please | a bit wider with {hand} | a little wider on {hand} | slightly wider for {hand} |
    let's open {hand} a bit | let's have {hand} a little wider | how about {hand} a bit wider | how about opening
    {hand} a little | what about opening {hand} a touch more | why don't you open {hand} a bit | now open {hand} just a
    little | don't open {hand} all the way just a bit | a bigger gap with {hand} | more space between the fingers of
    {hand} | {hand} further apart | {hand} less closed | {hand} more open | make {hand} gape a bit | give {hand} more
    room | more room in {hand} | part {hand} a little more
    """,
    "narrower": """
    close {hand} a bit | close {hand} a little | close {hand} a little more | close {hand} a bit more | close {hand}
    slightly | close {hand} just a touch | close {hand} a tad | close {hand} a fraction | close {hand} a hair | close
    {hand} a little bit | close up {hand} a little | close {hand} partway just a little | slightly close {hand} | shut
    {hand} a little | shut {hand} a bit | shut {hand} just a touch | narrow {hand} a bit | narrow {hand} a little |
    narrow {hand} slightly | narrow the gap of {hand} a touch | narrow the opening of {hand} a bit | squeeze {hand} a
    little | squeeze {hand} a bit tighter | squeeze {hand} slightly | pinch {hand} in a little | pinch {hand} a bit
    tighter | bring the fingers of {hand} a little closer together | bring the jaws of {hand} a bit closer together |
    draw the fingers of {hand} slightly together | ease {hand} closed a bit | ease {hand} shut a touch | let {hand}
    close a bit | have {hand} close slightly | give {hand} a little squeeze | reduce the gap of {hand} a bit | take in
    {hand} a little | can you close {hand} a bit | can you close {hand} a little more | can {hand} close a little |
    could you narrow {hand} a bit | could you close {hand} slightly please | would you close {hand} a touch | would you
    mind closing {hand} a little | i'd like {hand} closed a little more | i want {hand} a bit more closed | you should
    close {hand} a little | you can close {hand} a bit more | {hand} should close a little more | {hand} slightly more
    closed | {hand} a touch tighter | {hand} a bit tighter please | a little tighter on {hand} | let's close {hand} a
    bit | how about closing {hand} a little | what about closing {hand} a touch more | why don't you close {hand} a bit
    | now close {hand} just a little | don't close {hand} all the way just a bit | a smaller gap with {hand} | less
    space between the fingers of {hand} | {hand} closer together | {hand} less open | {hand} more closed | less of a
    gap in {hand} | give {hand} less room | bring {hand} together a little
    """,
    "turn": """
    turn {hand} {way} | turn {hand} {way} a bit | rotate {hand} {way} | rotate {hand} {way} a little | twist {hand}
    {way} | twist {hand} {way} a touch | roll {hand} {way} | roll {hand} over {way} | spin {hand} {way} | spin {hand}
    round {way} | screw {hand} {way} | crank {hand} {way} | pivot {hand} {way} | revolve {hand} {way} | turn the wrist
    of {hand} {way} | twist the wrist of {hand} {way} | rotate the wrist of {hand} {way} | get {hand} turning {way} |
    let {hand} turn {way} | have {hand} rotate {way} | make {hand} turn {way} | make {hand} spin {way} | can you turn
    {hand} {way} | can you rotate {hand} {way} | can {hand} turn {way} | could you twist {hand} {way} | could you roll
    {hand} {way} please | would you rotate {hand} {way} | would you mind turning {hand} {way} | will you twist {hand}
    {way} | i'd like {hand} turned {way} | i'd like you to rotate {hand} {way} | i want {hand} rotated {way} | i want
    {hand} to turn {way} | i need {hand} turned {way} | you should turn {hand} {way} | you should rotate {hand} {way} |
    you have to twist {hand} {way} | {hand} should turn {way} | {hand} should be rotated {way} | {hand} {way} | {hand}
    round {way} | {way} with {hand} | {way} turn on {hand} | {way} rotation of {hand} | go {way} with {hand} | let's
    turn {hand} {way} | let's rotate {hand} {way} | how about turning {hand} {way} | what about a twist {way} with
    {hand} | why don't you rotate {hand} {way} | try rotating {hand} {way}
    """,
    "tilt": """
    tilt {hand} {way} | tilt {hand} {way} a bit | tip {hand} {way} | tip {hand} {way} a little | pitch {hand} {way} |
    pitch {hand} {way} a touch | angle {hand} {way} | angle {hand} {way} slightly | slant {hand} {way} | bend {hand}
    {way} | bend {hand} {way} at the wrist | bend the wrist of {hand} {way} | flex the wrist of {hand} {way} | flex
    {hand} {way} at the wrist | tilt the wrist of {hand} {way} | tilt the fingers of {hand} {way} | tip the fingers of
    {hand} {way} | point {hand} {way} | point {hand} {way} a bit | point the fingers of {hand} {way} | cock {hand}
    {way} at the wrist | hinge {hand} {way} | turn {hand} to face {way} | turn the fingers of {hand} to point {way} |
    face {hand} {way} | give {hand} a tilt {way} | give {hand} some {way} tilt | get {hand} to tilt {way} | get {hand}
    pointing {way} | let {hand} tilt {way} | let {hand} point {way} | have {hand} tilt {way} | have {hand} face {way} |
    make {hand} tilt {way} | make {hand} point {way} | can you tilt {hand} {way} | can you tip {hand} {way} | can
    {hand} tilt {way} | could you angle {hand} {way} | could you tilt {hand} {way} please | would you point {hand}
    {way} | would you mind tilting {hand} {way} | i'd like {hand} tilted {way} | i'd like {hand} pointing {way} | i
    want {hand} tipped {way} | i want {hand} angled {way} | i need {hand} tilted {way} | you should tilt {hand} {way} |
    you should have {hand} pointing {way} | {hand} should tilt {way} | {hand} should point {way} | {hand} tilted {way}
    please | {hand} pointing {way} please | tilt {way} with {hand} | pitch {way} on {hand} | {way} tilt on {hand} |
    let's tilt {hand} {way} | how about tilting {hand} {way} | what about tipping {hand} {way} | why don't you angle
    {hand} {way} | try tilting {hand} {way} | nod {hand} {way}
    """,
    "still": """
    hold still | hold it right there | hold it there | hold on a second | hold on | hold everything | hold your
    position | hold that position | hold that pose | keep still | keep perfectly still | keep your arms still | keep
    both arms still | keep where you are | keep that position | stay still | stay still for a moment | stay put | stay
    there | stay right there | stay where you are | stay exactly where you are | stay in that position | stay like that
    | stay as you are | stay frozen | stand still | stand by | stand fast | don't move | don't move a muscle | don't
    move until i say so | don't move any further | don't do anything | don't do anything until i tell you | don't stir
    | do not move | no more moving | no moving | wait a moment | wait a second | wait there | wait right there | wait
    until i tell you | pause | pause there | pause for a moment | pause what you're doing | hold up | hold your horses
    | cut it out and stay put | cease all movement | cease moving | suspend all movement | that's far enough | that's
    far enough stop there | enough stay there | not one more move | can you hold still | can you stay right there |
    could you keep still please | could you wait a moment | would you hold still | would you stay where you are | will
    you please keep still | i'd like you to hold still | i'd like you to stay there | i want you to stay put | i need
    you to hold still | i need you to stay right there | you should stay where you are | you should keep still now |
    you can stay there for now | you're to stay put until i say | let's pause for a moment | let's hold it there | how
    about staying still | how about you hold still for a second | why don't you stay there | both arms stay where they
    are | not a twitch | sit tight | take a break right where you are | await my next order | stay where you are with
    both arms | leave the arms where they are | leave everything as it is | let the arms be | don't move the arms |
    don't move any arm | no more movement | no motion please | not moving now | both arms stay put | everything stays
    where it is | nothing moves | keep your arms there | arms still
    """,
    "open auto": """
    let go | let go of it | let go of that | let it go | let that go | let go of what you're holding | release |
    release it | release that | release the object | release your grip | release what you've got | release what you're
    holding | loose it | turn it loose | set it loose | set it free | free it | free the object | ungrip it | unhand it
    | don't hold it any longer | no need to hold it anymore let go | quit holding on to it | undo your grip | give up
    your grip | lose your grip on it | let loose | let it slip out of your fingers | can you let go | can you let go of
    it | can you release it | could you let go please | could you release that now | would you let go of it | would you
    mind letting go | will you let go | i'd like you to let go | i'd like you to release it | i want you to let go of
    it | i want it released | i've got it you can let go | i have it let go | you should let go now | you can let go |
    you can release it now | you may let go | it's okay to let go | how about letting go | how about releasing it | why
    don't you let go | go ahead and let go | time to let go
    """,
    "close auto": """
    grip | grip it | grip it firmly | grip it tight | grip it tightly please | grip harder | grip tighter | grip firmly
    | get a firm grip | get a good grip on it | get a tight hold of it | take a firm grip | take a firm hold | hold it
    tight | hold it tightly | hold it firmly | hold on to it firmly | keep a firm grip on it | keep a tight hold on it
    | squeeze | squeeze it | squeeze it tight | squeeze firmly | squeeze harder | clasp it tightly | clutch it tight |
    grasp it firmly | grasp it tight | don't let it slip grip it | firm up your grip | strengthen your grip | can you
    grip it | can you hold it tight | can you squeeze it | could you grip it firmly | could you hold it tighter | would
    you grip it tight please | i'd like you to grip it firmly | i want a firm grip on it | i need you to hold it tight
    | you should grip it | you should hold it more firmly | you can grip it now | let's have a firm grip | how about
    gripping it harder | why don't you grip it tight
    """,
}

SLOTS: dict[str, str] = {
    "small": """
    a bit | a little | a little bit | slightly | a touch | a tad | a smidgen | a fraction | a tiny bit | a wee bit | a
    teeny bit | a teensy bit | a small bit | an inch | an inch or so | a centimeter | a centimeter or two | a finger's
    width | a small step | a tiny step | a short way | a little way | a notch | very slightly | a bit more | a little
    more | a little further | a bit further | a couple of centimeters
    """,
    "lots_after": """
    a lot | a whole lot | a long way | a good way | a fair bit | by a lot | by a long way | a lot more | a lot further
    | much further | way further | far | very far | really far | as far as you can | as far as possible | as far as it
    goes | as far as it will go | all the way | to the limit | a big step | by a wide margin | a big chunk | loads |
    tons | heaps | a ton | a considerable distance | a large distance
    """,
    "far_before": """
    far | way | a lot | a whole lot | a long way | a good way | a good deal | a great deal | a fair bit | all the way |
    much further | a lot further | way further | far out | very far | a big step | a large step | a giant step | a long
    stretch | a great distance | a large distance
    """,
    "left": """
    left | leftwards | to the left | toward the left | towards the left | over to the left | to the left of where it is
    | to my left | out to the left
    """,
    "right": """
    right | rightwards | to the right | toward the right | towards the right | over to the right | to the right of
    where it is | to my right | out to the right
    """,
    "forward": """
    forward | forwards | ahead | straight ahead | away from me | away from where i'm sitting | away from my side |
    toward the far side | towards the far side | toward the far edge | to the far end of the table | farther from me |
    further from me | in the forward direction
    """,
    "back": """
    back | backward | backwards | toward me | towards me | back toward me | back towards me | nearer to me | my way |
    in my direction | toward us | towards my side | toward my end of the table | toward the near edge | to the near
    side | over here to me
    """,
    "up": """
    up | upwards | higher | higher up | toward the ceiling | towards the ceiling | up in the air | up off the table |
    away from the table top | straight up
    """,
    "down": """
    down | downwards | lower | lower down | toward the floor | straight down
    """,
    "clockwise": """
    clockwise | in a clockwise direction | in the clockwise direction | the clockwise way | the way the clock goes |
    the way a clock turns | like the hands of a clock | in the direction of the clock hands | like you're tightening a
    screw | like driving in a screw
    """,
    "counterclockwise": """
    counterclockwise | counter clockwise | anticlockwise | anti clockwise | in a counterclockwise direction | in an
    anticlockwise direction | the anticlockwise way | opposite to the clock | opposite to clockwise | the opposite way
    to a clock | the other way from clockwise | like you're loosening a screw | like undoing a screw
    """,
    "box": """
    the box | that box | this box | the bin | the container | the tray | the basket | the case | the packing box | the
    packing case | the cardboard box | the package | the parcel | the tub | the chest | the shipping box | the open box
    | the box there
    """,
    "table": """
    the table | the table top | the desk | the bench | the workbench | the worktop | this table | the counter
    """,
    "name red block": """
    red block | red cube | red square | red square block | red one | red thing | red piece | red object | scarlet cube
    | red dice | little red block | block that's red | red toy block
    """,
    "name green cylinder": """
    green cylinder | green can | green tin | green drum | green barrel | green roll | green round block | green one |
    green thing | green piece | green object | little green cylinder | cylinder that's green | green canister | green
    puck
    """,
    "name blue ball": """
    blue ball | blue sphere | blue globe | blue marble | blue round thing | blue one | blue thing | blue piece | blue
    object | little blue ball | ball that's blue | blue bead | blue round one
    """,
    "name yellow bar": """
    yellow bar | yellow stick | yellow beam | yellow strip | yellow plank | yellow stripe | yellow long one | long
    yellow thing | yellow one | yellow thing | yellow piece | yellow object | little yellow bar | bar that's yellow |
    yellow slat
    """,
    "name purple capsule": """
    purple capsule | purple pill | purple tablet | purple pill shaped one | purple one | purple thing | purple piece |
    purple object | purple sausage | purple lozenge | little purple capsule | capsule that's purple | purple bean
    """,
    "name orange cross": """
    orange cross | orange plus | orange x | orange star shape | orange crossed piece | orange cross shape | orange one
    | orange thing | orange piece | orange object | little orange cross | cross that's orange | orange cross shaped
    thing
    """,
}
