"""What the C functions of CPython do, by name: the vocabulary that samples inside the interpreter are read with."""

from __future__ import annotations

import re

from wellposed.interpreter.causes import BOXING, CALLS, COLLECTION, INTERPRETATION, NATIVE, TYPING

EVALUATION = re.compile(r"_PyEval_EvalFrameDefault|_TAIL_CALL_\w+")
"""The interpreter's loop."""

ALLOCATION = re.compile(
    r"_?PyObject_(Malloc|Calloc|Realloc|Free|Init\w*|New|GC_New\w*|GC_NewVar|GC_Del|GC_UnTrack|GC_Track|GC_Link|GC_Alloc)"
    r"|pymalloc_\w+|_?PyMem_\w+|gc_alloc|PyType_GenericAlloc|_PyType_AllocNoTrack|object_(new|init|dealloc)"
    r"|subtype_dealloc|_Py_Dealloc|_Py_NewReference\w*|\w+_dealloc\w*|allocate_from_new_pool|new_arena|arena_\w+"
    r"|insert_to_\w+pool|address_in_range|PyFloat_FromDouble|PyLong_From\w+|_PyLong_(New|FromSTwoDigits|FromMedium\w*)"
    r"|PyTuple_(New|Pack)|_PyTuple_FromArray\w*|tuple_alloc|PyList_New|PyDict_New|new_(dict|keys|values)\w*|free_keys_object"
    r"|dict_dealloc|_PyObject_(InitializeDict|InitInlineValues)|init_inline_values|PySlice_New|PyUnicode_New"
    r"|malloc|calloc|realloc|free|cfree|_int_(malloc|free|realloc)\w*|malloc_consolidate|unlink_chunk\w*|tcache_\w+|sysmalloc"
    r"|__libc_(malloc|free|calloc|realloc)"
)
"""Memory of objects, taken and given back; whoever asks for it."""

_COLLECTION = re.compile(
    r"gc_(?!alloc)\w+|visit_(decref|reachable|move)|subtract_refs|update_refs|move_\w*unreachable|untrack_(tuples|dicts)"
    r"|delete_garbage|deduce_unreachable|handle_weakrefs|finalize_garbage|clear_unreachable_mask|\w+_traverse"
    r"|\w*gc_collect\w*|_?PyObject_IS_GC|_PyTuple_MaybeUntrack|_PyDict_MaybeUntrack|validate_list"
)
_CALLS = re.compile(
    r"_PyEval_Vector|_PyFunction_Vectorcall|_?PyObject_(Fast)?Call\w*|_?PyObject_Vectorcall\w*|_PyObject_MakeTpCall"
    r"|_PyEvalFramePushAndInit\w*|_PyEvalFrameClearAndPop|initialize_locals|_PyFrame_\w+|_PyThreadState_(Push|Pop)\w*"
    r"|clear_(thread|gen)_frame|method_vectorcall\w*|vectorcall_\w+|cfunction_\w+|_?PyVectorcall_\w+|vgetargs\w*|_?PyArg_\w+"
    r"|convert(item|simple)|type_call|_Py_(Check(Function|Slot)Result|(Enter|Leave)Recursive\w*)|gen_(send\w*|iternext|close)"
    r"|_?PyGen_\w+|_Py_MakeCoro|async_gen_\w+|slot_tp_(call|init|new)|object_vacall|_?PyStack_\w+|PyMethod_New|PyCell_New"
    r"|PyFunction_\w+|_PyFunction_\w+|do_call_core|trampoline_\w+|wrapper_call|_PyObject_HasLen|make_gen|frame_\w+"
)
_ITERATION = re.compile(
    r"(\w*iter\w*_next|\w*iter_iternext|rangeiter_\w+|enum_next|zip_next|reversed_next|PyIter_Next)"
)
_TYPING = re.compile(
    r"PyNumber_\w+|binary_i?op\w*|ternary_i?op\w*|_?PyObject_(Generic)?(Get|Set)Attr\w*|_?PyObject_Generic\w+"
    r"|_PyObject_(GetMethod|LookupAttr\w*|GetInstanceAttribute|StoreInstanceAttribute|IsInstanceDictEmpty|LookupSpecial\w*"
    r"|GetDictPtr|ComputedDictPointer)|PyObject_GetOptionalAttr|_?PyType_Lookup\w*|type_getattro|_Py_type_getattro\w*"
    r"|find_name_in_mro|lookup_\w+|slot_(nb|sq|mp|tp_(getattr|setattr|rich|hash|iter|str|repr))\w*"
    r"|_?PyObject_(GetItem|SetItem|RichCompare\w*|IsTrue|Hash|Size|GetIter|IsInstance|IsSubclass\w*|TypeCheck)"
    r"|do_richcompare|PyType_IsSubtype|is_subtype\w*|_?PyType_\w+|_Py_Specialize\w*|specialize_\w+|analyze_\w+"
    r"|PySequence_\w+|PyMapping_\w+|PyMember_\w+|member_get|property_\w+|descr_\w+|func_descr_get|classmethod_get"
    r"|super_\w+|_PySuper_\w+|_PyDict_LoadGlobal\w*|method_(getattro|get)|getset_get|recursive_isinstance|object_isinstance"
    r"|slotptr|vectorcall_(maybe|method|unbound)|type_(mro_\w+|is_subtype\w*)|_Py_(Strong)?TypeCheck"
)
_BOXING = re.compile(
    r"_?PyFloat_\w+|float_\w+|_?PyLong_\w+|long_\w+|x_(add|sub|mul|divrem)|k_\w*mul|l_(div|mod|divmod)\w*|inplace_\w+"
    r"|maybe_small_long|medium_value|mul1|divrem1|_?PyComplex_\w+|complex_\w+|_Py_c_\w+|unsafe_long_\w+"
    r"|_?PyUnicode\w+|unicode_\w+|resize_compact|copy_characters|_copy_characters|ascii_\w+|_?PyBytes\w+|bytes_\w+"
    r"|_Py_dg_\w+|format_float\w*|bool_\w+|PyBool_\w+|PyBuffer\w*|convert_to_double|_PyLongWriter\w*"
)
_CONTAINERS = re.compile(
    r"_?PyList_\w+|list_\w+|_?PyDict_\w+|dict_\w+|_?PySet_\w+|set_\w+|_?PyTuple_\w+|tuple\w+|lookdict\w*|insertdict|dictresize"
    r"|insert_to_\w+|find_empty_slot|unicodekeys_\w+|dictkeys_\w+|_Py_dict_\w+|build_indices\w*|app1|ins1|PyByteArray\w+"
    r"|compare_(unicode|generic)|_Py_HashBytes|siphash\w*|pysiphash|_PySlice\w+|PySlice\w+"
)
_IN_ORDER = (
    (_COLLECTION, COLLECTION),
    (ALLOCATION, BOXING),
    (_CALLS, CALLS),
    (_ITERATION, INTERPRETATION),
    (_TYPING, TYPING),
    (_BOXING, BOXING),
    (_CONTAINERS, NATIVE),
)


def cause_of_function(name: str) -> str | None:
    """The cause that CPython's C function `name` works for; None where the name says nothing."""
    for pattern, cause in _IN_ORDER:
        if pattern.fullmatch(name):
            return cause
    return None
